// Package volumes makes the volumes of pods: directories of the node (emptyDir, hostPath) and rendered files
// (configMap, secret, downwardAPI, projected), which change atomically while containers look at them.
//
//	<root>/<uid>/volumes/<name>              a volume
//	<root>/<uid>/subpaths/<container>/<n>    a subPath of one, bound here so that it can't be swapped for something else
package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"golang.org/x/sys/unix"

	"github.com/keelson/keelson/kubelet/internal/podspec"
	"github.com/keelson/keelson/kubelet/internal/quantity"
)

// Tokens issues the tokens of service accounts.
type Tokens interface {
	// Token returns a token bound to the pod, and when it must be replaced.
	Token(ctx context.Context, pod *corev1.Pod, audience string, expiration time.Duration) (token string, renew time.Time, err error)
}

// Manager makes volumes below one directory.
type Manager struct {
	root        string
	objects     podspec.Objects
	tokens      Tokens
	allocatable func() map[string]*metav1.Quantity
}

// NewManager makes volumes below root. allocatable is what the node has for pods.
func NewManager(root string, objects podspec.Objects, tokens Tokens, allocatable func() map[string]*metav1.Quantity) *Manager {
	return &Manager{root: root, objects: objects, tokens: tokens, allocatable: allocatable}
}

// PodDir is the directory of everything of a pod.
func (m *Manager) PodDir(uid string) string { return filepath.Join(m.root, uid) }

func (m *Manager) volumeDir(uid, name string) string {
	return filepath.Join(m.root, uid, "volumes", name)
}

// Setup makes all volumes of a pod, or brings the rendered ones up to date. It returns when it wants to be called again
// because a token ends; the zero time is never. It fails as long as something that the pod refers to is missing.
func (m *Manager) Setup(ctx context.Context, pod *corev1.Pod) (time.Time, error) {
	var (
		renew time.Time
		errs  []error
	)
	for _, v := range pod.Spec.Volumes {
		again, err := m.setup(ctx, pod, v)
		if err != nil {
			errs = append(errs, fmt.Errorf("MountVolume.SetUp failed for volume %q : %w", v.Name, err))
		}
		if !again.IsZero() && (renew.IsZero() || again.Before(renew)) {
			renew = again
		}
	}
	return renew, errors.Join(errs...)
}

func (m *Manager) setup(ctx context.Context, pod *corev1.Pod, v *corev1.Volume) (time.Time, error) {
	dir, source := m.volumeDir(pod.Metadata.Uid, v.Name), v.VolumeSource
	switch {
	case source == nil:
		return time.Time{}, m.emptyDir(pod, dir, &corev1.EmptyDirVolumeSource{})
	case source.EmptyDir != nil:
		return time.Time{}, m.emptyDir(pod, dir, source.EmptyDir)
	case source.HostPath != nil:
		return time.Time{}, hostPath(source.HostPath)
	}
	files, renew, err := m.render(ctx, pod, source)
	if err != nil {
		return renew, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return renew, err
	}
	if source.Secret != nil || source.Projected != nil {
		// Secrets never touch the disk.
		if err := ensureTmpfs(dir, ""); err != nil {
			return renew, err
		}
	}
	return renew, write(dir, files, pod.Spec.SecurityContext.GetFsGroup(), pod.Spec.GetSecurityContext() != nil && pod.Spec.SecurityContext.FsGroup != nil)
}

func (m *Manager) emptyDir(pod *corev1.Pod, dir string, e *corev1.EmptyDirVolumeSource) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	switch e.Medium {
	case "":
	case "Memory":
		options := ""
		if limit := quantity.Value(e.SizeLimit); limit > 0 {
			options = fmt.Sprintf("size=%d", limit)
		}
		if err := ensureTmpfs(dir, options); err != nil {
			return err
		}
	default:
		return fmt.Errorf("emptyDir medium %q is not supported", e.Medium)
	}
	mode := os.FileMode(0o777)
	if e.Mode != nil {
		mode = os.FileMode(*e.Mode) & os.ModePerm
	}
	if sc := pod.Spec.SecurityContext; sc != nil && sc.FsGroup != nil {
		if err := os.Chown(dir, -1, int(*sc.FsGroup)); err != nil {
			return err
		}
		mode |= os.ModeSetgid
	}
	return os.Chmod(dir, mode)
}

// ensureTmpfs mounts a tmpfs at dir unless one is there.
func ensureTmpfs(dir, options string) error {
	mounted, err := isMountPoint(dir)
	if err != nil || mounted {
		return err
	}
	return unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options)
}

func isMountPoint(dir string) (bool, error) {
	var here, above unix.Stat_t
	if err := unix.Lstat(dir, &here); err != nil {
		return false, err
	}
	if err := unix.Lstat(filepath.Dir(dir), &above); err != nil {
		return false, err
	}
	return here.Dev != above.Dev, nil
}

// hostPath checks or makes what a hostPath volume demands.
func hostPath(h *corev1.HostPathVolumeSource) error {
	kind := h.GetType()
	info, err := os.Stat(h.Path)
	if errors.Is(err, os.ErrNotExist) {
		switch kind {
		case "":
			// Made as a directory when it is mounted, as container runtimes do.
			return os.MkdirAll(h.Path, 0o755)
		case "DirectoryOrCreate":
			return os.MkdirAll(h.Path, 0o755)
		case "FileOrCreate":
			f, err := os.OpenFile(h.Path, os.O_CREATE|os.O_RDONLY, 0o644)
			if err != nil {
				return err
			}
			return f.Close()
		}
		return fmt.Errorf("hostPath type check failed: %s does not exist", h.Path)
	}
	if err != nil {
		return err
	}
	mode := info.Mode()
	ok, want := true, ""
	switch kind {
	case "":
	case "Directory", "DirectoryOrCreate":
		ok, want = info.IsDir(), "a directory"
	case "File", "FileOrCreate":
		ok, want = mode.IsRegular(), "a file"
	case "Socket":
		ok, want = mode&os.ModeSocket != 0, "a socket file"
	case "CharDevice":
		ok, want = mode&os.ModeCharDevice != 0, "a character device"
	case "BlockDevice":
		ok, want = mode&os.ModeDevice != 0 && mode&os.ModeCharDevice == 0, "a block device"
	default:
		return fmt.Errorf("hostPath type %q is not known", kind)
	}
	if !ok {
		return fmt.Errorf("hostPath type check failed: %s is not %s", h.Path, want)
	}
	return nil
}

// Teardown removes everything of a pod. Succeeds where there is nothing.
func (m *Manager) Teardown(uid string) error {
	dir := m.PodDir(uid)
	mounts, err := mountsBelow(dir)
	if err != nil {
		return err
	}
	// The last mounted first.
	for i := len(mounts) - 1; i >= 0; i-- {
		if err := unix.Unmount(mounts[i], unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("unmounting %s: %w", mounts[i], err)
		}
	}
	// Nothing is removed through a mount: a hostPath volume's data may be behind it.
	if mounts, err = mountsBelow(dir); err != nil || len(mounts) > 0 {
		return errors.Join(err, fmt.Errorf("still mounted: %v", mounts))
	}
	return os.RemoveAll(dir)
}

func mountsBelow(dir string) ([]string, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var found []string
	for line := range strings.Lines(string(b)) {
		if fields := strings.Fields(line); len(fields) > 4 {
			if at := unescape.Replace(fields[4]); strings.HasPrefix(at, dir+"/") {
				found = append(found, at)
			}
		}
	}
	return found, nil
}

// Pods lists the UIDs of pods that have anything here.
func (m *Manager) Pods() ([]string, error) {
	entries, err := os.ReadDir(m.root)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	uids := make([]string, 0, len(entries))
	for _, e := range entries {
		uids = append(uids, e.Name())
	}
	return uids, nil
}
