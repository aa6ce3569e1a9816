package containerd

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/containerd/fifo"
	"github.com/keelson/keelson/kubelet/internal/logs"
	"golang.org/x/sys/unix"
)

// pipeSize is how much a container can write while no kubelet reads, before it has to wait.
const pipeSize = 1 << 20

// streams are the ends that the kubelet holds of one container's standard streams: FIFOs whose other ends the shim
// holds, so that the container doesn't notice when the kubelet is restarted.
type streams struct {
	dir     string
	log     *logs.Writer
	stdin   io.WriteCloser
	cancel  context.CancelFunc
	outputs []io.ReadCloser
	// drained is closed when both output streams have ended.
	drained chan struct{}

	mu      sync.Mutex
	clients map[*attachment]struct{}
	ended   bool
}

// attachment is a client that follows a container's output. Its writers are called one at a time; one that blocks
// holds the container back, as a terminal does.
type attachment struct {
	stdout, stderr io.Writer
	gone           chan struct{}
	once           sync.Once
}

func (a *attachment) leave() { a.once.Do(func() { close(a.gone) }) }

func (d *Driver) ioDir(id string) string { return filepath.Join(d.cfg.StateDir, "io", id) }

func fifoPath(dir, stream string) string { return filepath.Join(dir, stream) }

// open makes or reopens a container's streams and begins to log.
func (d *Driver) openStreams(id, logPath string, stdin, tty bool) (*streams, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.streams[id]; s != nil {
		return s, nil
	}
	dir := d.ioDir(id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	log, err := logs.Open(logPath, d.cfg.LogLimits)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(d.life)
	s := &streams{dir: dir, log: log, cancel: cancel, drained: make(chan struct{}), clients: map[*attachment]struct{}{}}
	fail := func(err error) (*streams, error) {
		cancel()
		_ = log.Close()
		return nil, err
	}
	outputs := []string{logs.Stdout}
	if !tty {
		outputs = append(outputs, logs.Stderr)
	}
	for _, name := range outputs {
		r, err := fifo.OpenFifo(ctx, fifoPath(dir, name), syscall.O_RDONLY|syscall.O_CREAT|syscall.O_NONBLOCK, 0o700)
		if err != nil {
			return fail(err)
		}
		s.outputs = append(s.outputs, r)
	}
	if stdin {
		s.stdin, err = fifo.OpenFifo(ctx, fifoPath(dir, "stdin"), syscall.O_WRONLY|syscall.O_CREAT|syscall.O_NONBLOCK, 0o700)
		if err != nil {
			return fail(err)
		}
	}
	var copies sync.WaitGroup
	for i, r := range s.outputs {
		copies.Go(func() {
			defer r.Close()
			enlarge(r)
			_ = logs.Copy(log, outputs[i], io.TeeReader(r, &broadcast{s, outputs[i]}))
		})
	}
	d.pumps.Go(func() {
		copies.Wait()
		_ = log.Close()
		s.end()
	})
	d.streams[id] = s
	return s, nil
}

// enlarge gives the pipe behind a FIFO more room; it stays as it is where the machine's limits don't allow it.
func enlarge(r io.Reader) {
	raw, ok := r.(syscall.Conn)
	if !ok {
		return
	}
	if conn, err := raw.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize) })
	}
}

// broadcast hands output to whoever is attached.
type broadcast struct {
	s      *streams
	stream string
}

func (b *broadcast) Write(p []byte) (int, error) {
	b.s.mu.Lock()
	clients := make([]*attachment, 0, len(b.s.clients))
	for a := range b.s.clients {
		clients = append(clients, a)
	}
	b.s.mu.Unlock()
	for _, a := range clients {
		w := a.stdout
		if b.stream == logs.Stderr {
			w = a.stderr
		}
		if w == nil {
			continue
		}
		if _, err := w.Write(p); err != nil {
			b.s.detach(a)
		}
	}
	return len(p), nil
}

// attach adds a client; false where the output has ended already.
func (s *streams) attach(a *attachment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.clients[a] = struct{}{}
	return true
}

func (s *streams) detach(a *attachment) {
	s.mu.Lock()
	delete(s.clients, a)
	s.mu.Unlock()
	a.leave()
}

func (s *streams) end() {
	s.mu.Lock()
	s.ended = true
	for a := range s.clients {
		a.leave()
	}
	clear(s.clients)
	s.mu.Unlock()
	close(s.drained)
}

// close stops pumping; what the container writes from then on waits in the FIFO.
func (s *streams) close() {
	s.cancel()
	for _, r := range s.outputs {
		_ = r.Close()
	}
	if s.stdin != nil {
		_ = s.stdin.Close()
	}
}

// closeStreams waits until the output of a container that has exited is logged, then removes its FIFOs. ctx bounds the
// wait: a process that the container left behind may keep its streams open for ever.
func (d *Driver) closeStreams(ctx context.Context, id string) error {
	d.mu.Lock()
	s := d.streams[id]
	delete(d.streams, id)
	d.mu.Unlock()
	if s != nil {
		select {
		case <-s.drained:
		case <-ctx.Done():
		}
		s.close()
	}
	if err := os.RemoveAll(d.ioDir(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
