package logs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Options say which part of a log is wanted, in the terms of Kubernetes' log options.
type Options struct {
	// Follow goes on until Done is closed.
	Follow bool
	// Done tells that nothing will be written any more: the container is gone and its last output is in the file.
	Done <-chan struct{}
	// Timestamps puts the time before each line.
	Timestamps bool
	// TailLines is how many of the last lines to begin with; nil is all.
	TailLines *int64
	// LimitBytes ends the output after so many bytes; nil does not.
	LimitBytes *int64
	// Since leaves out what was logged before.
	Since time.Time
	// Stream is Stdout or Stderr; "" is both.
	Stream string
}

// errLimit ends a read whose byte limit is reached.
var errLimit = errors.New("limit reached")

// Read writes a container's log to stdout and stderr, which may be the same writer. It returns when the log's end is
// reached (with Follow: when Done is closed and everything is read) or ctx ends.
func Read(ctx context.Context, path string, o Options, stdout, stderr io.Writer) error {
	p := &printer{Options: o, stdout: stdout, stderr: stderr, left: -1}
	if o.LimitBytes != nil {
		p.left = *o.LimitBytes
	}
	var changed *fsnotify.Watcher
	if o.Follow {
		watcher, err := fsnotify.NewWatcher()
		if err != nil {
			return fmt.Errorf("watching %s: %w", path, err)
		}
		defer watcher.Close()
		// The directory is watched, not the file: a rotation renames the file and makes a new one.
		if err := watcher.Add(filepath.Dir(path)); err != nil {
			return err
		}
		changed = watcher
	}
	var offset int64
	file, err := openOne(path, func(files []string) (first int, err error) {
		if o.TailLines == nil || len(files) == 0 {
			return 0, nil
		}
		first, offset, err = tail(files, *o.TailLines)
		return first, err
	})
	if err != nil {
		return err
	}
	if file == nil {
		return &os.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
	}
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		_ = file.Close()
		return err
	}
	err = walk(ctx, file, path, p, changed)
	if errors.Is(err, errLimit) {
		return nil
	}
	return err
}

// walk prints a file from where it stands, then its successors. With changed it goes on with what is appended until
// p.Done. It closes the file.
func walk(ctx context.Context, file *os.File, path string, p *printer, changed *fsnotify.Watcher) error {
	defer func() { _ = file.Close() }()
	reader := bufio.NewReaderSize(file, 64<<10)
	done := p.Done
	for {
		next, err := successor(file, path)
		if err != nil {
			return err
		}
		// A file that has a successor is complete, so this print reaches its end.
		partial, err := p.print(ctx, reader)
		if err != nil {
			if next != nil {
				_ = next.Close()
			}
			return err
		}
		if next != nil {
			_ = file.Close()
			file = next
			reader.Reset(file)
			continue
		}
		if changed == nil || done == nil && p.Done != nil {
			return nil
		}
		if partial > 0 {
			// A line that is only half written is read again when it is whole.
			if _, err := file.Seek(-int64(partial), io.SeekCurrent); err != nil {
				return err
			}
			reader.Reset(file)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-done:
			// Read once more: what was written before Done is in the file by now.
			done = nil
		case _, ok := <-changed.Events:
			if !ok {
				return fmt.Errorf("watching %s ended", path)
			}
		case err, ok := <-changed.Errors:
			if !ok {
				return fmt.Errorf("watching %s ended", path)
			}
			// Events that were lost say no more than that something has changed.
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watching %s: %w", path, err)
			}
		}
	}
}

// successor opens the file that came after the given one, if the log was rotated since. Several rotations may have
// happened, so it is not always the current one.
func successor(file *os.File, path string) (*os.File, error) {
	current, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if now, err := os.Stat(path); os.IsNotExist(err) || err == nil && os.SameFile(current, now) {
		return nil, nil
	}
	return openOne(path, func(files []string) (int, error) {
		next := 0
		for i, f := range files {
			if info, err := os.Stat(f); err == nil && os.SameFile(info, current) {
				next = i + 1
			}
		}
		return next, nil
	})
}

// openOne opens one file of a log: choose picks it from all that exist, oldest first; it is nil where choose picks the one
// after the last. A rotation renames files, so what was picked may have another name, or its name another file, by the time
// that it is opened: then all is done again.
func openOne(path string, choose func(files []string) (int, error)) (*os.File, error) {
	for {
		full, err := rotated(path)
		if err != nil {
			return nil, err
		}
		files := slices.Clip(full)
		if _, err := os.Stat(path); err == nil {
			files = append(files, path)
		}
		var file *os.File
		i, err := choose(files)
		if err == nil && i < len(files) {
			file, err = os.Open(files[i])
		}
		now, listErr := rotated(path)
		if listErr == nil && slices.Equal(full, now) {
			return file, err
		}
		if file != nil {
			_ = file.Close()
		}
		if listErr != nil {
			return nil, listErr
		}
	}
}

// tail finds where the last n lines begin: a file's index and an offset in it.
func tail(files []string, n int64) (int, int64, error) {
	for i := len(files) - 1; i >= 0; i-- {
		found, offset, err := tailOffset(files[i], n)
		if err != nil {
			return 0, 0, err
		}
		if found >= n || i == 0 {
			return i, offset, nil
		}
		n -= found
	}
	return 0, 0, nil
}

// tailOffset looks for the beginning of a file's last n lines and tells how many it found.
func tailOffset(path string, n int64) (int64, int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer file.Close()
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, 0, err
	}
	if n <= 0 {
		return 0, end, nil
	}
	const block = 64 << 10
	var found int64
	buf := make([]byte, block)
	for pos := end; pos > 0; {
		size := min(block, pos)
		pos -= size
		chunk := buf[:size]
		if _, err := file.ReadAt(chunk, pos); err != nil {
			return 0, 0, err
		}
		for {
			i := bytes.LastIndexByte(chunk, '\n')
			if i < 0 {
				break
			}
			// The file's very last newline ends the last line; every one before it begins a further line.
			if pos+int64(i) != end-1 {
				if found++; found == n {
					return n, pos + int64(i) + 1, nil
				}
			}
			chunk = chunk[:i]
		}
	}
	if end > 0 {
		found++
	}
	return found, 0, nil
}
