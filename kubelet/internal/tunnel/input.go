package tunnel

import (
	"context"
	"io"

	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"

	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// input takes a session's frames from the user apart: bytes of standard input, and sizes of the terminal.
type input struct {
	reader *io.PipeReader
	resize chan runtime.Size
	done   chan struct{}
	closed chan struct{}
}

// newInput reads frames until the stream ends; a stream that breaks ends the session.
func newInput(s *stream, cancel context.CancelFunc) *input {
	r, w := io.Pipe()
	in := &input{reader: r, resize: make(chan runtime.Size, 4), done: make(chan struct{}), closed: make(chan struct{})}
	go func() {
		defer close(in.done)
		defer close(in.resize)
		for {
			frame, err := s.Recv()
			if err == io.EOF {
				_ = w.Close()
				return
			}
			if err != nil {
				_ = w.CloseWithError(err)
				cancel()
				return
			}
			switch f := frame.Frame.(type) {
			case *tunnelv1.SessionResponse_Data:
				if len(f.Data.Payload) > 0 {
					// After close nobody reads: what still comes is dropped.
					_, _ = w.Write(f.Data.Payload)
				}
				if f.Data.End {
					_ = w.Close()
				}
			case *tunnelv1.SessionResponse_Resize:
				select {
				case in.resize <- runtime.Size{Width: f.Resize.Width, Height: f.Resize.Height}:
				case <-in.closed:
				}
			}
		}
	}()
	return in
}

// close lets the reading goroutine drop what still comes; it ends with the stream.
func (in *input) close() {
	close(in.closed)
	_ = in.reader.Close()
}
