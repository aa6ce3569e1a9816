package podsecurity

import (
	"fmt"
	"slices"
	"strings"
)

var restrictedChecks = []check{
	// Those of the baseline come first, in the order of their names in Kubernetes.
	appArmor, hostNamespaces, hostPorts, probeHosts, privilege, procMounts, seLinux, sysctls, hostProcess,
	escalation, droppedCapabilities, volumeTypes, nonRoot, rootUser, seccompMissing,
}

func escalation(s *subject) *violation {
	if s.windows() {
		return nil
	}
	bad := s.where(func(c container) bool {
		a := c.GetSecurityContext()
		return a == nil || a.AllowPrivilegeEscalation == nil || *a.AllowPrivilegeEscalation
	})
	if bad == nil {
		return nil
	}
	return &violation{"allowPrivilegeEscalation != false", named(bad) + " must set securityContext.allowPrivilegeEscalation=false"}
}

func droppedCapabilities(s *subject) *violation {
	if s.windows() {
		return nil
	}
	var details []string
	keeping := s.where(func(c container) bool {
		return !slices.Contains(c.GetSecurityContext().GetCapabilities().GetDrop(), "ALL")
	})
	if keeping != nil {
		details = append(details, named(keeping)+` must set securityContext.capabilities.drop=["ALL"]`)
	}
	if bad, caps := added(s, []string{"NET_BIND_SERVICE"}); bad != nil {
		details = append(details, fmt.Sprintf("%s must not include %s in securityContext.capabilities.add", named(bad), quote(caps.sorted())))
	}
	if details == nil {
		return nil
	}
	return &violation{"unrestricted capabilities", strings.Join(details, "; ")}
}

var allowedVolumes = []string{"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"}

func volumeTypes(s *subject) *violation {
	var bad []string
	types := set{}
	for _, v := range s.spec.GetVolumes() {
		src := v.GetVolumeSource()
		if src == nil {
			continue
		}
		m := src.ProtoReflect()
		fields := m.Descriptor().Fields()
		for i := range fields.Len() {
			fd := fields.Get(i)
			if m.Has(fd) && !slices.Contains(allowedVolumes, fd.JSONName()) {
				bad = append(bad, v.Name)
				types.add(fd.JSONName())
				break
			}
		}
	}
	if bad == nil {
		return nil
	}
	return &violation{"restricted volume types", fmt.Sprintf("%s %s %s restricted volume %s %s", plural("volume", "volumes", len(bad)), quote(bad),
		plural("uses", "use", len(bad)), plural("type", "types", len(types)), quote(types.sorted()))}
}

func nonRoot(s *subject) *violation {
	if s.remapped() {
		return nil
	}
	pod := s.spec.GetSecurityContext()
	asks := pod != nil && pod.RunAsNonRoot != nil
	root := asks && !*pod.RunAsNonRoot
	explicit := s.where(func(c container) bool {
		o := c.GetSecurityContext()
		return o != nil && o.RunAsNonRoot != nil && !*o.RunAsNonRoot
	})
	silent := s.where(func(c container) bool { o := c.GetSecurityContext(); return o == nil || o.RunAsNonRoot == nil })
	switch {
	case root || explicit != nil:
		return &violation{"runAsNonRoot != true", setters(root, explicit) + " must not set securityContext.runAsNonRoot=false"}
	case !asks && silent != nil:
		return &violation{"runAsNonRoot != true", "pod or " + named(silent) + " must set securityContext.runAsNonRoot=true"}
	}
	return nil
}

func rootUser(s *subject) *violation {
	if s.remapped() {
		return nil
	}
	p := s.spec.GetSecurityContext()
	pod := p != nil && p.RunAsUser != nil && *p.RunAsUser == 0
	bad := s.where(func(c container) bool {
		o := c.GetSecurityContext()
		return o != nil && o.RunAsUser != nil && *o.RunAsUser == 0
	})
	if !pod && bad == nil {
		return nil
	}
	return &violation{"runAsUser=0", setters(pod, bad) + " must not set runAsUser=0"}
}

// evaluate runs the checks of a level.
func (l level) evaluate(s *subject) []violation {
	var checks []check
	switch l {
	case baseline:
		checks = baselineChecks
	case restricted:
		checks = restrictedChecks
	}
	var out []violation
	for _, c := range checks {
		if v := c(s); v != nil {
			out = append(out, *v)
		}
	}
	return out
}
