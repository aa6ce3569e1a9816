// Package testnode gives tests a node of their own: a containerd, a network namespace, and an image made on the spot.
// Tests in need of it run in new network, mount and PID namespaces, so that nothing of them outlives the test binary,
// whatever happens. Only tests import it.
package testnode

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/sys/unix"

	"github.com/keelson/keelson/kubelet/internal/cgroups"
)

// inside marks the process that runs in the new namespaces.
const inside = "KEELSON_TEST_NODE"

// Main is what a package's TestMain calls: it runs the tests in namespaces of their own.
func Main(m *testing.M) {
	if os.Getenv(inside) == "" {
		os.Exit(rerun())
	}
	for _, err := range []error{
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""),
		exec.Command("ip", "link", "set", "lo", "up").Run(),
	} {
		if err != nil {
			fmt.Fprintln(os.Stderr, "preparing namespaces for the test:", err)
			os.Exit(1)
		}
	}
	code := m.Run()
	stop()
	os.Exit(code)
}

func rerun() int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// The tests' cgroups outlive their PID namespace, so they are removed from here.
	name := strconv.Itoa(os.Getpid())
	cmd.Env = append(os.Environ(), inside+"="+name)
	defer func() {
		groups, err := cgroups.New(cgroupRoot(name))
		if err == nil {
			err = groups.RemoveAll()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "the tests' cgroups are left:", err)
		}
	}()
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID, Pdeathsig: unix.SIGKILL,
	}
	signal.Ignore(unix.SIGINT)
	if err := cmd.Run(); err != nil {
		if e, ok := err.(*exec.ExitError); ok && e.ExitCode() > 0 {
			return e.ExitCode()
		}
		fmt.Fprintln(os.Stderr, "tests that need a node must run as root:", err)
		return 1
	}
	return 0
}

// Node is a running containerd with the test image.
type Node struct {
	// Socket is containerd's address; Dir is for whatever the test keeps.
	Socket, Dir string
	cmd         *exec.Cmd
	log         *os.File
}

// Image is the test image's name: busybox and nothing else.
const Image = "keelson-test:v1"

// CgroupRoot is where tests put their cgroups.
var CgroupRoot = cgroupRoot(os.Getenv(inside))

func cgroupRoot(name string) string { return "/keelson-test-" + name }

var (
	shared     *Node
	sharedErr  error
	sharedOnce sync.Once
)

// Start returns the test binary's node; the first call starts it.
func Start(t testing.TB) *Node {
	t.Helper()
	sharedOnce.Do(func() { shared, sharedErr = start() })
	if sharedErr != nil {
		t.Fatalf("starting a containerd for the test: %v", sharedErr)
	}
	return shared
}

func start() (*Node, error) {
	dir, err := os.MkdirTemp("", "keelson-node")
	if err != nil {
		return nil, err
	}
	n := &Node{Socket: filepath.Join(dir, "containerd.sock"), Dir: dir}
	conf := filepath.Join(dir, "config.toml")
	text := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\n  address = %q\n",
		filepath.Join(dir, "root"), filepath.Join(dir, "state"), n.Socket)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, err
	}
	if n.log, err = os.Create(filepath.Join(dir, "containerd.log")); err != nil {
		return nil, err
	}
	if err := n.Launch(); err != nil {
		return nil, err
	}
	return n, n.load()
}

// Launch starts containerd, again after Kill.
func (n *Node) Launch() error {
	n.cmd = exec.Command("containerd", "--config", filepath.Join(n.Dir, "config.toml"))
	n.cmd.Stdout, n.cmd.Stderr = n.log, n.log
	if err := n.cmd.Start(); err != nil {
		return fmt.Errorf("containerd is needed for this test: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := client.New(n.Socket, client.WithTimeout(20*time.Second))
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.IsServing(ctx)
	return err
}

// Kill ends containerd as a crash does; containers go on.
func (n *Node) Kill() {
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait()
}

func (n *Node) load() error {
	archive := filepath.Join(n.Dir, "image.tar")
	if err := WriteImage(archive, Image); err != nil {
		return err
	}
	out, err := exec.Command("ctr", "-a", n.Socket, "-n", "k8s.io", "images", "import", archive).CombinedOutput()
	if err != nil {
		return fmt.Errorf("importing the test image: %w: %s", err, out)
	}
	return nil
}

func stop() {
	if shared == nil {
		return
	}
	shared.Kill()
	_ = os.RemoveAll(shared.Dir)
}

// BuildImage makes an image of busybox, with the accounts that tests ask for.
func BuildImage() (v1.Image, error) {
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		return nil, fmt.Errorf("busybox-static is needed for this test: %w", err)
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	add := func(h tar.Header, b []byte) {
		h.Size = int64(len(b))
		if err == nil {
			err = w.WriteHeader(&h)
		}
		if err == nil {
			_, err = w.Write(b)
		}
	}
	for _, dir := range []string{"bin", "etc", "tmp", "data"} {
		add(tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: 0o777}, nil)
	}
	add(tar.Header{Name: "bin/busybox", Mode: 0o755}, busybox)
	for _, link := range []string{"sh", "sleep", "cat", "echo", "id", "nc", "httpd", "wget", "ls", "env", "hostname", "ps", "head", "tail", "dd", "ip", "kill", "true", "false", "stat", "date", "trap", "nslookup", "grep", "mount", "touch"} {
		add(tar.Header{Name: "bin/" + link, Typeflag: tar.TypeSymlink, Linkname: "busybox"}, nil)
	}
	add(tar.Header{Name: "etc/passwd", Mode: 0o644}, []byte("root:x:0:0::/:/bin/sh\nweb:x:1001:1002::/tmp:/bin/sh\n"))
	add(tar.Header{Name: "etc/group", Mode: 0o644}, []byte("root:x:0:\nweb:x:1002:\nextra:x:1003:web\n"))
	if err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, l)
	if err != nil {
		return nil, err
	}
	conf, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	conf = conf.DeepCopy()
	conf.OS, conf.Architecture = "linux", "amd64"
	conf.Config = v1.Config{Env: []string{"PATH=/bin", "FROM_IMAGE=yes"}, Entrypoint: []string{"/bin/sh"}, Cmd: []string{"-c", "echo default command"}, WorkingDir: "/tmp"}
	return mutate.ConfigFile(image, conf)
}

// WriteImage writes the test image as a Docker archive under a name.
func WriteImage(path, ref string) error {
	image, err := BuildImage()
	if err != nil {
		return err
	}
	tag, err := name.NewTag(ref)
	if err != nil {
		return err
	}
	return tarball.WriteToFile(path, tag, image)
}
