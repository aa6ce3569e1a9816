package logs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func write(t *testing.T, w *Writer, stream, text string) {
	t.Helper()
	if err := Copy(w, stream, strings.NewReader(text)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string, o Options) string {
	t.Helper()
	var out bytes.Buffer
	if err := Read(t.Context(), path, o, &out, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c", "0.log")
	w, err := Open(path, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	long := strings.Repeat("x", 3*maxLine+7)
	write(t, w, Stdout, "one\ntwo\n"+long+"\n")
	write(t, w, Stderr, "oops\n")
	write(t, w, Stdout, "no newline")
	two, four := int64(2), int64(4)
	cases := map[string]struct {
		o    Options
		want string
	}{
		"all":    {Options{}, "one\ntwo\n" + long + "\noops\nno newline\n"},
		"stderr": {Options{Stream: Stderr}, "oops\n"},
		"tail":   {Options{TailLines: &two}, "oops\nno newline\n"},
		"limit":  {Options{LimitBytes: &four}, "one\n"},
		"future": {Options{Since: time.Now().Add(time.Hour)}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := read(t, path, c.o); got != c.want {
				t.Errorf("got %d bytes, want %d: %.80q", len(got), len(c.want), got)
			}
		})
	}
	stamped := read(t, path, Options{Timestamps: true, LimitBytes: &[]int64{20}[0]})
	if !strings.HasPrefix(stamped, "20") || !strings.Contains(stamped, "T") {
		t.Errorf("no time in %q", stamped)
	}
}

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0.log")
	w, err := Open(path, Limits{MaxSize: 200, MaxFiles: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range 40 {
		write(t, w, Stdout, fmt.Sprintf("line %d\n", i))
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 3 {
		t.Errorf("%d files, want 3", len(entries))
	}
	seven := int64(7)
	if got := read(t, path, Options{TailLines: &seven}); got != "line 33\nline 34\nline 35\nline 36\nline 37\nline 38\nline 39\n" {
		t.Errorf("tail over files: %q", got)
	}
}

func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "0.log")
	w, err := Open(path, Limits{MaxSize: 300, MaxFiles: 5})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	write(t, w, Stdout, "first\n")
	done := make(chan struct{})
	r, out := io.Pipe()
	ended := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	go func() {
		err := Read(ctx, path, Options{Follow: true, Done: done}, out, out)
		_ = out.CloseWithError(err)
		ended <- err
	}()
	want := "first\n"
	for i := range 20 {
		line := fmt.Sprintf("line %d\n", i)
		write(t, w, Stdout, line)
		want += line
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil {
		t.Fatal(err)
	}
	write(t, w, Stdout, "last\n")
	close(done)
	rest, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if all := string(got) + string(rest); all != want+"last\n" {
		t.Errorf("followed %q", all)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestReadWhileRotating: whatever is renamed between listing the files and opening one, a reader gets every line from the
// first on, without a gap.
func TestReadWhileRotating(t *testing.T) {
	const lines = 10
	dir := t.TempDir()
	for round := range 100 {
		path := filepath.Join(dir, fmt.Sprint(round), "0.log")
		w, err := Open(path, Limits{MaxSize: 1, MaxFiles: lines + 1})
		if err != nil {
			t.Fatal(err)
		}
		write(t, w, Stdout, "line 0\n")
		want := "line 0\n"
		done := make(chan struct{})
		var out bytes.Buffer
		var readers sync.WaitGroup
		readers.Go(func() {
			if err := Read(t.Context(), path, Options{Follow: true, Done: done}, &out, &out); err != nil {
				t.Error(err)
			}
		})
		for i := 1; i < lines; i++ {
			line := fmt.Sprintf("line %d\n", i)
			write(t, w, Stdout, line)
			want += line
		}
		close(done)
		readers.Wait()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if out.String() != want {
			t.Fatalf("round %d: %q", round, out.String())
		}
	}
}
