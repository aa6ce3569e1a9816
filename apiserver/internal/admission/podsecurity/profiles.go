package podsecurity

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

const appArmorAnnotation = "container.apparmor.security.beta.kubernetes.io/"

func appArmor(s *subject) *violation {
	var details []string
	types := set{}
	wrong := func(p *corev1.AppArmorProfile) bool {
		if p == nil || p.Type == "RuntimeDefault" || p.Type == "Localhost" {
			return false
		}
		types.add(p.Type)
		return true
	}
	pod := wrong(s.spec.GetSecurityContext().GetAppArmorProfile())
	bad := s.where(func(c container) bool { return wrong(c.GetSecurityContext().GetAppArmorProfile()) })
	if pod || bad != nil {
		details = append(details, fmt.Sprintf("%s must not set AppArmor profile type to %s", setters(pod, bad), quote(types.sorted())))
	}
	var noted []string
	for _, k := range slices.Sorted(maps.Keys(s.meta.GetAnnotations())) {
		v := s.meta.Annotations[k]
		if strings.HasPrefix(k, appArmorAnnotation) && v != "" && v != "runtime/default" && !strings.HasPrefix(v, "localhost/") {
			noted = append(noted, fmt.Sprintf("%s=%q", k, v))
		}
	}
	if noted != nil {
		details = append(details, plural("annotation", "annotations", len(noted))+" "+strings.Join(noted, ", "))
	}
	if details == nil {
		return nil
	}
	return &violation{plural("forbidden AppArmor profile", "forbidden AppArmor profiles", len(types)+len(noted)), strings.Join(details, ", ")}
}

var seLinuxTypes = []string{"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}

func seLinux(s *subject) *violation {
	types := set{}
	user, role := false, false
	wrong := func(o *corev1.SELinuxOptions) bool {
		bad := false
		if !slices.Contains(seLinuxTypes, o.GetType()) {
			types.add(o.GetType())
			bad = true
		}
		user, role = user || o.GetUser() != "", role || o.GetRole() != ""
		return bad || o.GetUser() != "" || o.GetRole() != ""
	}
	pod := wrong(s.spec.GetSecurityContext().GetSeLinuxOptions())
	bad := s.where(func(c container) bool { return wrong(c.GetSecurityContext().GetSeLinuxOptions()) })
	if !pod && bad == nil {
		return nil
	}
	var data []string
	if len(types) > 0 {
		data = append(data, plural("type", "types", len(types))+" "+quote(types.sorted()))
	}
	if user {
		data = append(data, "user may not be set")
	}
	if role {
		data = append(data, "role may not be set")
	}
	return &violation{"seLinuxOptions", fmt.Sprintf("%s set forbidden securityContext.seLinuxOptions: %s", setters(pod, bad), strings.Join(data, "; "))}
}

// seccomp finds who sets profiles other than the runtime's and the node's own.
func seccomp(s *subject) (pod bool, containers []string, types set) {
	types = set{}
	wrong := func(p *corev1.SeccompProfile) bool {
		if p == nil || p.Type == "RuntimeDefault" || p.Type == "Localhost" {
			return false
		}
		types.add(p.Type)
		return true
	}
	pod = wrong(s.spec.GetSecurityContext().GetSeccompProfile())
	containers = s.where(func(c container) bool { return wrong(c.GetSecurityContext().GetSeccompProfile()) })
	return pod, containers, types
}

func seccompUnconfined(s *subject) *violation {
	pod, bad, types := seccomp(s)
	if !pod && bad == nil {
		return nil
	}
	return forbiddenProfile(pod, bad, types)
}

func seccompMissing(s *subject) *violation {
	if s.windows() {
		return nil
	}
	pod, bad, types := seccomp(s)
	if pod || bad != nil {
		return forbiddenProfile(pod, bad, types)
	}
	if s.spec.GetSecurityContext().GetSeccompProfile() != nil {
		return nil
	}
	missing := s.where(func(c container) bool { return c.GetSecurityContext().GetSeccompProfile() == nil })
	if missing == nil {
		return nil
	}
	return &violation{"seccompProfile", fmt.Sprintf(`pod or %s must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`, named(missing))}
}

func forbiddenProfile(pod bool, bad []string, types set) *violation {
	return &violation{"seccompProfile", fmt.Sprintf("%s must not set securityContext.seccompProfile.type to %s", setters(pod, bad), quote(types.sorted()))}
}
