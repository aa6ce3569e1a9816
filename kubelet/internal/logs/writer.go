// Package logs keeps the output of containers in files of the CRI log format and reads them back:
//
//	2026-01-02T15:04:05.999999999Z stdout F a whole line
//	2026-01-02T15:04:05.999999999Z stderr P the beginning of a very long line
//
// A container's current file is <n>.log; full ones are renamed <n>.log.<time> beside it and the oldest removed.
package logs

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Names of streams in log lines.
const (
	Stdout = "stdout"
	Stderr = "stderr"
)

// maxLine is where a longer line is cut into partial ones; CRI's readers expect no longer ones.
const maxLine = 16 << 10

const rotatedTime = "20060102-150405.000000000"

// Limits bound what one container's log takes on disk.
type Limits struct {
	// MaxSize of one file in bytes.
	MaxSize int64
	// MaxFiles counts the current one too.
	MaxFiles int
}

// DefaultLimits are Kubernetes' defaults.
var DefaultLimits = Limits{MaxSize: 10 << 20, MaxFiles: 5}

// Writer appends to one container's log. Its methods may be called concurrently.
type Writer struct {
	path   string
	limits Limits

	mu   sync.Mutex
	file *os.File
	size int64
}

// Open continues or begins the log at path, making its directories.
func Open(path string, limits Limits) (*Writer, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	w := &Writer{path: path, limits: limits}
	if err := w.open(); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *Writer) open() error {
	file, err := os.OpenFile(w.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return err
	}
	w.file, w.size = file, info.Size()
	return nil
}

// Write appends already formatted lines.
func (w *Writer) Write(lines []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return 0, os.ErrClosed
	}
	if w.size > 0 && w.size+int64(len(lines)) > w.limits.MaxSize {
		if err := w.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := w.file.Write(lines)
	w.size += int64(n)
	return n, err
}

func (w *Writer) rotate() error {
	if err := os.Rename(w.path, w.path+"."+time.Now().UTC().Format(rotatedTime)); err != nil {
		return err
	}
	_ = w.file.Close()
	w.file = nil
	if err := w.open(); err != nil {
		return err
	}
	old, err := rotated(w.path)
	if err != nil {
		return err
	}
	for len(old) > w.limits.MaxFiles-1 {
		if err := os.Remove(old[0]); err != nil && !os.IsNotExist(err) {
			return err
		}
		old = old[1:]
	}
	return nil
}

// Close ends writing; the files stay.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file = nil
	return err
}

// rotated lists the full files of a log, oldest first.
func rotated(path string) ([]string, error) {
	dir, base := filepath.Split(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), base+".") {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(files)
	return files, nil
}

// Copy reads a stream to its end and logs it line by line. What can't be written (a full disk) is dropped: a
// container must never stop because of its log.
func Copy(w io.Writer, stream string, r io.Reader) error {
	var (
		buf     = make([]byte, 32<<10)
		pending []byte
		out     bytes.Buffer
	)
	for {
		n, err := r.Read(buf)
		now := time.Now().UTC().Format(time.RFC3339Nano)
		rest := buf[:n]
		for len(rest) > 0 {
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				pending = append(pending, rest...)
				rest = nil
			} else {
				pending = append(pending, rest[:end]...)
				rest = rest[end+1:]
			}
			for len(pending) > maxLine {
				fmt.Fprintf(&out, "%s %s P %s\n", now, stream, pending[:maxLine])
				pending = append(pending[:0], pending[maxLine:]...)
			}
			if end >= 0 {
				fmt.Fprintf(&out, "%s %s F %s\n", now, stream, pending)
				pending = pending[:0]
			}
		}
		if err != nil && len(pending) > 0 {
			fmt.Fprintf(&out, "%s %s F %s\n", now, stream, pending)
		}
		if out.Len() > 0 {
			_, _ = w.Write(out.Bytes())
			out.Reset()
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
