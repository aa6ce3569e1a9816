package podstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/keelson/keelson/apiserver/internal/rest/podstream/remote"
	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
)

// stdinChunk is how much of a user's input travels in one frame.
const stdinChunk = 32 << 10

// exec runs a command in a container.
func (h *Handler) exec(w http.ResponseWriter, r *http.Request, pod *corev1.Pod) error {
	q := r.URL.Query()
	want := streams(r)
	command := q["command"]
	if err := checkStreams("PodExecOptions", want, len(command) == 0); err != nil {
		return err
	}
	c, err := container(pod, q.Get("container"))
	if err != nil {
		return err
	}
	return h.interact(w, r, pod, want, "executing command in", &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Exec{Exec: &tunnelv1.ExecOptions{
		Container: address(pod, c), Command: command, Stdin: want.Stdin, Stdout: want.Stdout, Stderr: want.Stderr, Tty: want.TTY}}})
}

// attach joins a container's own process.
func (h *Handler) attach(w http.ResponseWriter, r *http.Request, pod *corev1.Pod) error {
	want := streams(r)
	if err := checkStreams("PodAttachOptions", want, false); err != nil {
		return err
	}
	c, err := container(pod, r.URL.Query().Get("container"))
	if err != nil {
		return err
	}
	return h.interact(w, r, pod, want, "attaching to", &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Attach{Attach: &tunnelv1.AttachOptions{
		Container: address(pod, c), Stdin: want.Stdin, Stdout: want.Stdout, Stderr: want.Stderr, Tty: want.TTY}}})
}

// streams reads which streams the user asks for. A terminal has no stderr of its own.
func streams(r *http.Request) remote.Streams {
	q := r.URL.Query()
	s := remote.Streams{Stdin: flag(q, "stdin"), Stdout: flag(q, "stdout"), Stderr: flag(q, "stderr"), TTY: flag(q, "tty")}
	if s.TTY {
		s.Stderr = false
	}
	return s
}

func checkStreams(kind string, s remote.Streams, noCommand bool) error {
	var bad []*metav1.StatusCause
	if !s.Stdin && !s.Stdout && !s.Stderr {
		bad = append(bad, &metav1.StatusCause{Reason: apierrors.CauseFieldRequired, Field: "", Message: "Required value: you must specify at least one of stdin, stdout, stderr"})
	}
	if noCommand {
		bad = append(bad, &metav1.StatusCause{Reason: apierrors.CauseFieldRequired, Field: "command", Message: "Required value"})
	}
	if len(bad) > 0 {
		return apierrors.NewInvalid("", kind, "", bad)
	}
	return nil
}

// interact joins a user's streams with a session on the node. The session is opened first: what is wrong with the pod
// or the node is answered as a plain Status, which every client shows.
// doing says in an error what was being done.
func (h *Handler) interact(w http.ResponseWriter, r *http.Request, pod *corev1.Pod, want remote.Streams, doing string, op *tunnelv1.ConnectResponse) error {
	if !remote.Requested(r) {
		return apierrors.NewBadRequest("Upgrade request required")
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	s, err := h.open(ctx, pod, op)
	if err != nil {
		return err
	}
	defer s.Close()
	user, err := remote.Accept(w, r, want)
	if err != nil {
		return nil //nolint:nilerr // the upgrade has been answered
	}
	outcome := relay(ctx, s, user)
	if outcome.Reason == apierrors.ReasonInternalError {
		outcome.Err = "Internal error occurred: error " + doing + " container: " + outcome.Err
	}
	return ignoreGone(user.Finish(outcome))
}

// ignoreGone drops the errors of a connection that the user has closed.
func ignoreGone(error) error { return nil }

// relay copies in both directions until the node says how it ended or the user is gone.
func relay(ctx context.Context, s Session, user *remote.Session) remote.Outcome {
	out := &sender{s: s}
	var inputs sync.WaitGroup
	done := make(chan struct{})
	if user.Stdin != nil {
		// Not waited for: its read ends when the connection is closed, which is after the outcome is sent.
		go out.stdin(user.Stdin)
	}
	if user.Sizes != nil {
		inputs.Add(1)
		go func() {
			defer inputs.Done()
			out.sizes(user.Sizes, done)
		}()
	}
	inputs.Add(1)
	go func() {
		// A user who goes away ends the session, or the loop below would wait for a silent process.
		defer inputs.Done()
		select {
		case <-user.Gone:
			s.Close()
		case <-ctx.Done():
			s.Close()
		case <-done:
		}
	}()
	outcome := receive(s, user)
	close(done)
	inputs.Wait()
	return outcome
}

// receive writes the node's output to the user.
func receive(s Session, user *remote.Session) remote.Outcome {
	for {
		frame, err := s.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return remote.Outcome{Err: "the node ended the session without an exit code"}
			}
			return remote.Outcome{Err: err.Error()}
		}
		switch f := frame.GetFrame().(type) {
		case *tunnelv1.SessionRequest_Data:
			to := user.Stdout
			if f.Data.GetChannel() == tunnelv1.Channel_CHANNEL_STDERR {
				to = user.Stderr
			}
			if to == nil || len(f.Data.GetPayload()) == 0 {
				continue
			}
			if _, err := to.Write(f.Data.GetPayload()); err != nil {
				return remote.Outcome{Err: err.Error()}
			}
		case *tunnelv1.SessionRequest_Exit:
			o := remote.Outcome{ExitCode: f.Exit.GetCode(), Err: f.Exit.GetError()}
			if o.Err != "" {
				status := apierrors.FromError(exitError(f.Exit))
				o.Reason, o.Code = status.GetReason(), status.GetCode()
			}
			return o
		}
	}
}

// sender serialises what goes to the node: a session takes one frame at a time.
type sender struct {
	mu sync.Mutex
	s  Session
}

func (o *sender) send(m *tunnelv1.SessionResponse) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.s.Send(m)
}

func dataFrame(payload []byte, end bool) *tunnelv1.SessionResponse {
	return &tunnelv1.SessionResponse{Frame: &tunnelv1.SessionResponse_Data{Data: &tunnelv1.Data{
		Channel: tunnelv1.Channel_CHANNEL_STDIN, Payload: payload, End: end}}}
}

// stdin sends the user's input, and its end.
func (o *sender) stdin(from io.Reader) {
	buf := make([]byte, stdinChunk)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if o.send(dataFrame(append([]byte(nil), buf[:n]...), false)) != nil {
				return
			}
		}
		if err != nil {
			_ = o.send(dataFrame(nil, true)) // the session may be over
			return
		}
	}
}

// sizes sends the terminal's sizes.
func (o *sender) sizes(from <-chan remote.Size, done <-chan struct{}) {
	for {
		select {
		case size, ok := <-from:
			if !ok {
				return
			}
			if o.send(&tunnelv1.SessionResponse{Frame: &tunnelv1.SessionResponse_Resize{Resize: &tunnelv1.Resize{
				Width: uint32(size.Width), Height: uint32(size.Height)}}}) != nil {
				return
			}
		case <-done:
			return
		}
	}
}
