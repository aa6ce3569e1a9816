package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// command is one daemon to run.
type command struct {
	scope, component string // names of pid file and log
	namespace        string // network namespace; empty: the machine's
	argv             []string
	env              []string
}

// ensure starts the daemon unless it runs already. It returns whether it was started.
func (c *Config) ensure(cmd command) (bool, error) {
	pidFile := c.pidFile(cmd.scope, cmd.component)
	if _, ok := runningPID(pidFile); ok {
		return false, nil
	}
	logPath := c.logFile(cmd.scope, cmd.component)
	for _, f := range []string{pidFile, logPath} {
		if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
			return false, err
		}
	}
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return false, err
	}
	defer log.Close()
	argv := cmd.argv
	if cmd.namespace != "" {
		// Only the network namespace is entered: `ip netns exec` would remount /sys and hide the cgroups.
		argv = append([]string{"nsenter", "--net=/run/netns/" + cmd.namespace, "--"}, argv...)
	}
	p := exec.Command(argv[0], argv[1:]...)
	p.Stdout, p.Stderr = log, log
	p.Env = append(os.Environ(), cmd.env...)
	p.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := p.Start(); err != nil {
		return false, fmt.Errorf("start %s: %w", cmd.component, err)
	}
	// nsenter replaces itself by the daemon, so the pid stays.
	record := fmt.Sprintf("%d\n", p.Process.Pid)
	if err := os.WriteFile(pidFile, []byte(record), 0o644); err != nil {
		return false, errors.Join(err, p.Process.Kill())
	}
	exited := make(chan struct{})
	go func() { _ = p.Wait(); close(exited) }()
	c.track(cmd, exited)
	return true, nil
}

// track remembers the processes that this program started, so that a wait can end as soon as one of them is dead.
func (c *Config) track(cmd command, exited chan struct{}) {
	startedMu.Lock()
	defer startedMu.Unlock()
	startedDaemons = append(startedDaemons, startedProcess{cmd: cmd, exited: exited})
}

// startedNow tells whether this run of the program started the daemon.
func (c *Config) startedNow(scope, component string) bool {
	startedMu.Lock()
	defer startedMu.Unlock()
	for _, s := range startedDaemons {
		if s.cmd.scope == scope && s.cmd.component == component {
			return true
		}
	}
	return false
}

// firstDead returns the name and log of a started process that has ended.
func (c *Config) firstDead() error {
	startedMu.Lock()
	defer startedMu.Unlock()
	for _, s := range startedDaemons {
		select {
		case <-s.exited:
			log := c.logFile(s.cmd.scope, s.cmd.component)
			return fmt.Errorf("%s stopped right after its start; the end of its log %s:\n%s", s.cmd.component, log, tail(log, 12))
		default:
		}
	}
	return nil
}

// tail returns the last n lines of a file.
func tail(path string, n int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return "    " + strings.Join(lines, "\n    ")
}

// runningPID reads a pid file; ok tells whether the process lives and is still the one that was meant: its command
// line must name a program of the same base name as the file.
func runningPID(pidFile string) (pid int, ok bool) {
	b, err := os.ReadFile(pidFile)
	if err != nil {
		return 0, false
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || !alive(pid) {
		return 0, false
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	component := strings.TrimSuffix(filepath.Base(pidFile), ".pid")
	component = strings.TrimRight(component, "-0123456789")
	return pid, err == nil && bytes.Contains(cmdline, []byte(component))
}

// alive tells whether a process exists and is no zombie: where PID 1 reaps nothing, the dead stay listed.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, found := strings.Cut(string(stat), ") ")
	return found && !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

// stop ends a daemon by SIGTERM, then by SIGKILL after the grace period, and removes its pid file.
func (c *Config) stop(ctx context.Context, scope, component string, grace time.Duration) error {
	pidFile := c.pidFile(scope, component)
	defer os.Remove(pidFile)
	pid, ok := runningPID(pidFile)
	if !ok {
		return nil
	}
	return endProcess(ctx, pid, grace)
}

func endProcess(ctx context.Context, pid int, grace time.Duration) error {
	_ = syscall.Kill(pid, syscall.SIGTERM)
	if waitGone(ctx, pid, grace) {
		return nil
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	if waitGone(ctx, pid, 10*time.Second) {
		return nil
	}
	return fmt.Errorf("process %d does not end", pid)
}

// waitGone waits for a process that need not be a child:.
func waitGone(ctx context.Context, pid int, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return until(ctx, 20*time.Millisecond, func() bool { return !alive(pid) }) == nil
}

// until asks again and again, because the machine's state (processes, files) sends no event.
func until(ctx context.Context, every time.Duration, done func() bool) error {
	t := time.NewTicker(every)
	defer t.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
	return nil
}
