package ecosystem

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keelson/keelson/deploy/internal/image"
)

// cluster is where the tests run: of one node, made for them. KEELSON_DIR=dir runs them on the cluster that is up there, whose
// nodes must have the image probe:v1.
var cluster struct{ dir, bin, operator, cache string }

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	bin := os.Getenv("KEELSON_BIN")
	if bin == "" {
		bin = "../../bin"
	}
	var err error
	if cluster.bin, err = filepath.Abs(bin); err != nil {
		return fail(err)
	}
	work, err := os.MkdirTemp("", "keelson-ecosystem-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(work)
	cluster.operator = filepath.Join(work, "operator")
	// What kubectl and Helm remember of the API is of this cluster only: another one has the same address.
	cluster.cache = filepath.Join(work, "cache")
	build := exec.Command("go", "build", "-o", cluster.operator, "./operator")
	if out, err := build.CombinedOutput(); err != nil {
		return fail(fmt.Errorf("build the operator: %w\n%s", err, out))
	}
	if cluster.dir = os.Getenv("KEELSON_DIR"); cluster.dir != "" {
		return m.Run()
	}
	cluster.dir = filepath.Join(work, "cluster")
	defer func() {
		if out, err := local("down"); err != nil {
			fmt.Fprintf(os.Stderr, "down: %v\n%s", err, out)
		}
	}()
	if out, err := local("up"); err != nil {
		return fail(fmt.Errorf("up: %w\n%s", err, out))
	}
	spec, err := image.Busybox("probe:v1", nil)
	if err == nil {
		err = image.Write(filepath.Join(work, "probe.tar"), spec)
	}
	if err != nil {
		return fail(err)
	}
	if out, err := local("load", filepath.Join(work, "probe.tar")); err != nil {
		return fail(fmt.Errorf("load: %w\n%s", err, out))
	}
	return m.Run()
}

func local(args ...string) ([]byte, error) {
	args = append(args, "--dir", cluster.dir, "--bin", cluster.bin)
	return exec.Command(filepath.Join(cluster.bin, "keelson-local"), args...).CombinedOutput()
}

func kubeconfig() string { return filepath.Join(cluster.dir, "admin.kubeconfig") }

// command prepares a program of the build with the administrator's kubeconfig and directories of its own for what it keeps.
func command(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(filepath.Join(cluster.bin, program), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig(), "KUBECACHEDIR="+cluster.cache, "HELM_CACHE_HOME="+t.TempDir(), "HELM_CONFIG_HOME="+t.TempDir(), "HELM_DATA_HOME="+t.TempDir())
	return cmd
}

// try runs a program with a text on its standard input.
func try(t *testing.T, stdin, program string, args ...string) (string, error) {
	t.Helper()
	cmd := command(t, program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// prints runs a program that must succeed and print all the parts.
func prints(t *testing.T, program, args string, parts ...string) string {
	t.Helper()
	out, err := try(t, "", program, strings.Fields(args)...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, args, err, out)
	}
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("%s %s: no %q in\n%s", program, args, part, out)
		}
	}
	return out
}

// applies creates or changes what a manifest says.
func applies(t *testing.T, namespace, manifest string) string {
	t.Helper()
	out, err := try(t, manifest, "kubectl", "-n", namespace, "apply", "-f", "-")
	if err != nil {
		t.Fatalf("apply: %v\n%s", err, out)
	}
	return out
}

// refuses is applies that must fail and print all the parts.
func refuses(t *testing.T, namespace, manifest string, parts ...string) {
	t.Helper()
	out, err := try(t, manifest, "kubectl", "-n", namespace, "apply", "-f", "-")
	if err == nil {
		t.Errorf("apply does not fail:\n%s", out)
	}
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("apply: no %q in\n%s", part, out)
		}
	}
}

// poll waits for something that is looked at from outside, where no event can be had; it returns false after the limit.
func poll(t *testing.T, limit time.Duration, ok func() bool) bool {
	t.Helper()
	end := time.NewTimer(limit)
	defer end.Stop()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-end.C:
			return false
		case <-tick.C:
		}
	}
	return true
}

// eventually waits until a command succeeds and prints the wanted text.
func eventually(t *testing.T, want, program, args string) {
	t.Helper()
	var out string
	if !poll(t, 2*time.Minute, func() bool {
		var err error
		out, err = try(t, "", program, strings.Fields(args)...)
		return err == nil && strings.Contains(out, want)
	}) {
		t.Fatalf("%s %s: no %q in\n%s", program, args, want, out)
	}
}

// vanishes waits until a kubectl command succeeds and prints nothing, or only that there is nothing.
func vanishes(t *testing.T, args string) {
	t.Helper()
	var out string
	if !poll(t, 2*time.Minute, func() bool {
		var err error
		out, err = try(t, "", "kubectl", strings.Fields(args)...)
		return err == nil && (out == "" || strings.HasPrefix(out, "No resources found"))
	}) {
		t.Fatalf("kubectl %s still prints\n%s", args, out)
	}
}

// namespace makes one for the test.
func namespace(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("eco-%x", time.Now().UnixNano())
	prints(t, "kubectl", "create namespace "+name)
	t.Cleanup(func() { prints(t, "kubectl", "delete namespace --wait=false "+name) })
	return name
}
