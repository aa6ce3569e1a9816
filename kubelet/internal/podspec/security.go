package podspec

import (
	"errors"
	"fmt"
	"path/filepath"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"

	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// Security merges a pod's and a container's security contexts; the container's wins field by field. profiles is the
// directory of Localhost seccomp profiles.
func Security(pod *corev1.Pod, c *corev1.Container, profiles string) (runtime.Security, error) {
	ps, cs := pod.Spec.SecurityContext, c.SecurityContext
	if ps == nil {
		ps = &corev1.PodSecurityContext{}
	}
	if cs == nil {
		cs = &corev1.SecurityContext{}
	}
	s := runtime.Security{
		RunAsUser: first(cs.RunAsUser, ps.RunAsUser), RunAsGroup: first(cs.RunAsGroup, ps.RunAsGroup),
		SupplementalGroups: ps.SupplementalGroups, StrictGroups: ps.GetSupplementalGroupsPolicy() == "Strict",
		Privileged: cs.GetPrivileged(), ReadOnlyRootfs: cs.GetReadOnlyRootFilesystem(),
		NoNewPrivileges: cs.AllowPrivilegeEscalation != nil && !*cs.AllowPrivilegeEscalation,
		AddCapabilities: cs.Capabilities.GetAdd(), DropCapabilities: cs.Capabilities.GetDrop(),
		UnmaskedProc: cs.GetProcMount() == "Unmasked",
	}
	if nonRoot := first(cs.RunAsNonRoot, ps.RunAsNonRoot); nonRoot != nil {
		s.NonRoot = *nonRoot
	}
	if ps.FsGroup != nil {
		s.SupplementalGroups = append(append([]int64(nil), s.SupplementalGroups...), *ps.FsGroup)
	}
	seccomp := cs.SeccompProfile
	if seccomp == nil {
		seccomp = ps.SeccompProfile
	}
	if seccomp != nil {
		s.Seccomp = seccomp.Type
		if seccomp.Type == "Localhost" {
			name := seccomp.GetLocalhostProfile()
			if !filepath.IsLocal(name) {
				return s, fmt.Errorf("seccomp localhostProfile %q must be a relative path below the profile directory", name)
			}
			s.SeccompProfile = filepath.Join(profiles, name)
		}
	}
	for _, profile := range []*corev1.AppArmorProfile{cs.AppArmorProfile, ps.AppArmorProfile} {
		if profile != nil && profile.Type != "Unconfined" && profile.Type != "RuntimeDefault" {
			return s, fmt.Errorf("appArmorProfile type %q is not supported", profile.Type)
		}
	}
	for _, sysctl := range ps.Sysctls {
		if s.Sysctls == nil {
			s.Sysctls = map[string]string{}
		}
		s.Sysctls[sysctl.Name] = sysctl.Value
	}
	return s, nil
}

func first[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

// VerifyNonRoot refuses what can be seen to run as root before the container is made.
func VerifyNonRoot(pod *corev1.Pod, c *corev1.Container, s *runtime.Security, imageUser string) error {
	if !s.NonRoot {
		return nil
	}
	if s.RunAsUser != nil {
		if *s.RunAsUser == 0 {
			return fmt.Errorf("container's runAsUser breaks non-root policy (pod: %q, container: %s)", podLabel(pod), c.Name)
		}
		return nil
	}
	switch imageUser {
	case "", "0", "root":
		return fmt.Errorf("container has runAsNonRoot and image will run as root (pod: %q, container: %s)", podLabel(pod), c.Name)
	}
	return nil
}

func podLabel(pod *corev1.Pod) string {
	return fmt.Sprintf("%s_%s(%s)", pod.Metadata.Name, pod.Metadata.Namespace, pod.Metadata.Uid)
}

// Unsupported tells what of a pod this kubelet can't do, naming the field.
func Unsupported(pod *corev1.Pod) error {
	spec := pod.Spec
	var errs []error
	refuse := func(field string) { errs = append(errs, fmt.Errorf("spec.%s is not supported", field)) }
	if spec.HostUsers != nil && !*spec.HostUsers {
		refuse("hostUsers: false")
	}
	if spec.GetRuntimeClassName() != "" {
		refuse("runtimeClassName")
	}
	if len(spec.ResourceClaims) > 0 {
		refuse("resourceClaims")
	}
	if spec.Os.GetName() != "" && spec.Os.GetName() != "linux" {
		refuse("os.name: " + spec.Os.Name)
	}
	for _, c := range AllContainers(pod) {
		if len(c.VolumeDevices) > 0 {
			refuse("containers[" + c.Name + "].volumeDevices")
		}
		if len(c.RestartPolicyRules) > 0 {
			refuse("containers[" + c.Name + "].restartPolicyRules")
		}
		for name := range c.Resources.GetLimits() {
			switch name {
			case "cpu", "memory", "ephemeral-storage":
			default:
				refuse("containers[" + c.Name + "].resources.limits." + name)
			}
		}
	}
	return errors.Join(errs...)
}

// AllContainers are a pod's init, regular and ephemeral containers, the last as if they were regular ones.
func AllContainers(pod *corev1.Pod) []*corev1.Container {
	list := append(append([]*corev1.Container(nil), pod.Spec.InitContainers...), pod.Spec.Containers...)
	for _, e := range pod.Spec.EphemeralContainers {
		list = append(list, Ephemeral(e))
	}
	return list
}

// Ephemeral is an ephemeral container as a regular one.
func Ephemeral(e *corev1.EphemeralContainer) *corev1.Container {
	c := e.EphemeralContainerCommon
	return &corev1.Container{
		Name: c.Name, Image: c.Image, Command: c.Command, Args: c.Args, WorkingDir: c.WorkingDir, EnvFrom: c.EnvFrom,
		Env: c.Env, Resources: c.Resources, VolumeMounts: c.VolumeMounts,
		TerminationMessagePath: c.TerminationMessagePath, TerminationMessagePolicy: c.TerminationMessagePolicy,
		ImagePullPolicy: c.ImagePullPolicy, SecurityContext: c.SecurityContext, Stdin: c.Stdin, StdinOnce: c.StdinOnce, Tty: c.Tty,
	}
}
