package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// program is one kubectl, used in one namespace.
type program struct {
	path, namespace string
}

// everyKubectl runs a test with the kubectl of the build and with the one of the machine, if that is another: users come
// with the one they have.
func everyKubectl(t *testing.T, test func(*testing.T, program)) {
	paths := []string{filepath.Join(shared.bin, "kubectl")}
	if installed, err := exec.LookPath("kubectl"); err == nil {
		paths = append(paths, installed)
	}
	seen := map[string]bool{}
	for _, path := range paths {
		out, err := tryWith(path, "", "version", "--client")
		version := regexp.MustCompile(`Client Version: (v1\.\d+)`).FindStringSubmatch(out)
		if err != nil || version == nil {
			t.Fatalf("%s: %v\n%s", path, err, out)
		}
		if seen[version[1]] {
			continue
		}
		seen[version[1]] = true
		t.Run(version[1], func(t *testing.T) { test(t, program{path, namespace(t)}) })
	}
}

// ok runs a command that must succeed and returns what it printed.
func (p program) ok(t *testing.T, args ...string) string {
	t.Helper()
	out, err := tryWith(p.path, "", append([]string{"-n", p.namespace}, args...)...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, short(out))
	}
	return out
}

// prints runs a command that must succeed and print all the parts.
func (p program) prints(t *testing.T, command string, parts ...string) string {
	t.Helper()
	out := p.ok(t, fields(command)...)
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("kubectl %s: no %q in\n%s", command, part, short(out))
		}
	}
	return out
}

// refuses runs a command that must fail and print all the parts.
func (p program) refuses(t *testing.T, command string, parts ...string) {
	t.Helper()
	out, err := tryWith(p.path, "", append([]string{"-n", p.namespace}, fields(command)...)...)
	if err == nil {
		t.Errorf("kubectl %s does not fail:\n%s", command, short(out))
	}
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("kubectl %s: no %q in\n%s", command, part, short(out))
		}
	}
}

// fields cuts a command line at its spaces; "~" stands for a space inside a word.
func fields(command string) []string {
	words := strings.Fields(command)
	for i, w := range words {
		words[i] = strings.ReplaceAll(w, "~", " ")
	}
	return words
}

// stdin runs a command that must succeed with a text on its standard input.
func (p program) stdin(t *testing.T, in, command string) string {
	t.Helper()
	out, err := tryWith(p.path, in, append([]string{"-n", p.namespace}, fields(command)...)...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", command, err, short(out))
	}
	return out
}

// running is a kubectl that goes on, such as `logs -f`.
type running struct {
	cmd *exec.Cmd
	mu  sync.Mutex
	out bytes.Buffer
}

func (r *running) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Write(b)
}

func (r *running) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.String()
}

// start runs a command until the test's end.
func (p program) start(t *testing.T, command string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cmd: exec.CommandContext(ctx, p.path, append([]string{"-n", p.namespace}, fields(command)...)...)}
	r.cmd.Env = environment()
	r.cmd.Stdout, r.cmd.Stderr = r, r
	if err := r.cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = r.cmd.Wait() })
	return r
}

// says waits until the command has printed a text.
func (r *running) says(t *testing.T, part string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("%v printed:\n%s", r.cmd.Args, r.text())
		}
	}()
	eventually(t, 30*time.Second, "prints "+part, func() bool { return strings.Contains(r.text(), part) })
}

func environment(more ...string) []string {
	return append(append(os.Environ(), "KUBECONFIG="+filepath.Join(shared.dir, "admin.kubeconfig"), "KUBECACHEDIR="+filepath.Join(shared.dir, "cache")), more...)
}
