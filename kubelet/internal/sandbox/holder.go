package sandbox

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Hold is the holder's whole life: process 1 of a shared PID namespace, it reaps orphans and waits to be killed.
func Hold() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGCHLD, unix.SIGTERM, unix.SIGINT)
	// The parent waits for this line before it pins the namespace.
	fmt.Println("holding")
	for s := range signals {
		if s != unix.SIGCHLD {
			continue
		}
		for {
			if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != nil || pid <= 0 {
				break
			}
		}
	}
}

// startHolder starts process 1 of a new PID namespace and pins the namespace. The process outlives the kubelet.
func (m *Manager) startHolder(p Paths) error {
	if len(m.holder) == 0 {
		return fmt.Errorf("no holder command is configured")
	}
	cmd := exec.Command(m.holder[0], m.holder[1:]...)
	cmd.Env, cmd.Dir = []string{"GOMAXPROCS=1"}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: unix.CLONE_NEWPID}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	// Reaped here while this kubelet lives; by init afterwards.
	defer func() { go func() { _ = cmd.Wait() }() }()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		_ = cmd.Process.Kill()
		return fmt.Errorf("it said %q: %w", line, err)
	}
	if err := bind(fmt.Sprintf("/proc/%d/ns/pid", cmd.Process.Pid), p.PID); err != nil {
		_ = cmd.Process.Kill()
		return err
	}
	return nil
}

// stopHolder kills process 1 of a pod's shared PID namespace, and with it every process in there.
func (m *Manager) stopHolder(uid string) error {
	path := m.Path(uid, "pid")
	if missing(path) {
		return nil
	}
	var pinned unix.Stat_t
	if err := unix.Stat(path, &pinned); err != nil {
		return err
	}
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	for _, dir := range entries {
		var ns unix.Stat_t
		if unix.Stat(dir+"/ns/pid", &ns) != nil || ns.Ino != pinned.Ino || !isFirst(dir) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && err != unix.ESRCH {
			return err
		}
	}
	return nil
}

// isFirst tells whether a process is number 1 in its own PID namespace.
func isFirst(dir string) bool {
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return false
	}
	for line := range bytes.Lines(status) {
		if rest, ok := strings.CutPrefix(string(line), "NSpid:"); ok {
			fields := strings.Fields(rest)
			return len(fields) > 1 && fields[len(fields)-1] == "1"
		}
	}
	return false
}
