package sandbox

import (
	"fmt"
	"os"
	goruntime "runtime"

	"golang.org/x/sys/unix"
)

// wanted says which namespaces to make.
type wanted struct {
	net, ipc, uts bool
	hostname      string
}

// create makes namespaces and pins them. They are made by a thread that ends with it: a thread never returns from a
// namespace that it entered.
func create(w wanted, p Paths) error {
	done := make(chan error, 1)
	go func() {
		// Not unlocked: the Go runtime then ends the thread with the goroutine.
		goruntime.LockOSThread()
		done <- createOnThread(w, p)
	}()
	return <-done
}

func createOnThread(w wanted, p Paths) error {
	flags := 0
	if w.net {
		flags |= unix.CLONE_NEWNET
	}
	if w.ipc {
		flags |= unix.CLONE_NEWIPC
	}
	if w.uts {
		flags |= unix.CLONE_NEWUTS
	}
	if err := unix.Unshare(flags); err != nil {
		return err
	}
	if w.uts {
		if err := unix.Sethostname([]byte(w.hostname)); err != nil {
			return fmt.Errorf("setting host name %q: %w", w.hostname, err)
		}
	}
	task := fmt.Sprintf("/proc/self/task/%d/ns/", unix.Gettid())
	pins := []struct {
		wanted     bool
		name, path string
	}{{w.net, "net", p.Net}, {w.ipc, "ipc", p.IPC}, {w.uts, "uts", p.UTS}}
	for _, pin := range pins {
		if !pin.wanted {
			continue
		}
		if err := bind(task+pin.name, pin.path); err != nil {
			return err
		}
	}
	return nil
}

// bind mounts one file on another, making the latter.
func bind(source, target string) error {
	file, err := os.OpenFile(target, os.O_CREATE|os.O_RDONLY, 0o444)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("pinning %s at %s: %w", source, target, err)
	}
	return nil
}

// Inside runs f on a thread that has entered the network namespace at path. What f starts (goroutines, sockets made
// elsewhere) does not share it.
func Inside(path string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		goruntime.LockOSThread()
		done <- func() error {
			ns, err := os.Open(path)
			if err != nil {
				return err
			}
			defer ns.Close()
			if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("entering %s: %w", path, err)
			}
			return f()
		}()
	}()
	return <-done
}
