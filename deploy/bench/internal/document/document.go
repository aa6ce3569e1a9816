// Package document keeps measured figures in a document that people write: only what stands between two marks is
// replaced.
package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// The marks, comments of Markdown on lines of their own.
const (
	Begin = "<!-- bench: begin -->\n"
	End   = "<!-- bench: end -->\n"
)

// Write puts what render writes between the marks of a file. A file that does not exist is made. One without marks is
// left as it is, with an error: it is something else.
func Write(path string, render func(io.Writer) error) error {
	old, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		old, err = []byte(Begin+End), nil
	}
	if err != nil {
		return err
	}
	var figures bytes.Buffer
	if err := render(&figures); err != nil {
		return err
	}
	merged, err := replace(old, figures.Bytes())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return swap(path, merged)
}

func replace(old, figures []byte) ([]byte, error) {
	before, rest, ok := bytes.Cut(old, []byte(Begin))
	_, after, ok2 := bytes.Cut(rest, []byte(End))
	if !ok || !ok2 {
		return nil, fmt.Errorf("there is no %q with a %q after it", Begin, End)
	}
	return bytes.Join([][]byte{before, []byte(Begin), []byte("\n"), figures, []byte("\n"), []byte(End), after}, nil), nil
}

// swap replaces the file whole or not at all.
func swap(path string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".bench-")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(content)
	if err := errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
