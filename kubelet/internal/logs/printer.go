package logs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"time"
)

// printer turns log lines back into what the container wrote.
type printer struct {
	Options
	stdout, stderr io.Writer
	// left is how many bytes may still be printed; negative is any number.
	left int64
}

// print prints every whole line that the reader has, and tells how many bytes of an unfinished one it read.
func (p *printer) print(ctx context.Context, r *bufio.Reader) (int, error) {
	var long []byte
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			long = append(long, line...)
			continue
		}
		if len(long) > 0 {
			long = append(long, line...)
			line = long
		}
		if err == io.EOF {
			return len(line), nil
		}
		if err != nil {
			return 0, err
		}
		if err := p.line(line); err != nil {
			return 0, err
		}
		long = long[:0]
	}
}

// line prints one line; one that is not in the log's format is skipped, as after a crash in the middle of a write.
func (p *printer) line(line []byte) error {
	stamp, rest, ok := bytes.Cut(line, []byte{' '})
	if !ok {
		return nil
	}
	stream, rest, ok := bytes.Cut(rest, []byte{' '})
	if !ok {
		return nil
	}
	tag, text, ok := bytes.Cut(rest, []byte{' '})
	if !ok {
		return nil
	}
	if p.Stream != "" && p.Stream != string(stream) {
		return nil
	}
	if !p.Since.IsZero() {
		if at, err := time.Parse(time.RFC3339Nano, string(stamp)); err != nil || at.Before(p.Since) {
			return nil
		}
	}
	if bytes.HasPrefix(tag, []byte("P")) {
		text = bytes.TrimSuffix(text, []byte{'\n'})
	}
	out := p.stdout
	if string(stream) == Stderr {
		out = p.stderr
	}
	if p.Timestamps {
		text = append(append(append(make([]byte, 0, len(stamp)+1+len(text)), stamp...), ' '), text...)
	}
	if p.left >= 0 && int64(len(text)) >= p.left {
		text = text[:p.left]
		p.left = 0
		if _, err := out.Write(text); err != nil {
			return err
		}
		return errLimit
	}
	if p.left >= 0 {
		p.left -= int64(len(text))
	}
	_, err := out.Write(text)
	return err
}
