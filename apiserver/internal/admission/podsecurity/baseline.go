package podsecurity

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

// check looks for one thing that a level forbids; nil where there is nothing.
type check func(s *subject) *violation

// baselineChecks and restrictedChecks are in the order in which messages name what they find.
var baselineChecks = []check{
	appArmor, addedCapabilities, hostNamespaces, hostPaths, hostPorts, probeHosts, privilege, procMounts, seLinux, seccompUnconfined, sysctls, hostProcess,
}

func hostNamespaces(s *subject) *violation {
	var found []string
	for _, n := range []struct {
		name string
		used bool
	}{{"hostNetwork", s.spec.GetHostNetwork()}, {"hostPID", s.spec.GetHostPID()}, {"hostIPC", s.spec.GetHostIPC()}} {
		if n.used {
			found = append(found, n.name+"=true")
		}
	}
	if found == nil {
		return nil
	}
	return &violation{"host namespaces", strings.Join(found, ", ")}
}

func privilege(s *subject) *violation {
	bad := s.where(func(c container) bool { return c.GetSecurityContext().GetPrivileged() })
	if bad == nil {
		return nil
	}
	return &violation{"privileged", named(bad) + " must not set securityContext.privileged=true"}
}

var defaultCapabilities = []string{"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
	"SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}

// added finds the capabilities that containers add beyond those allowed.
func added(s *subject, allowed []string) (containers []string, capabilities set) {
	capabilities = set{}
	containers = s.where(func(c container) bool {
		bad := false
		for _, a := range c.GetSecurityContext().GetCapabilities().GetAdd() {
			if !slices.Contains(allowed, a) {
				capabilities.add(a)
				bad = true
			}
		}
		return bad
	})
	return containers, capabilities
}

func addedCapabilities(s *subject) *violation {
	bad, caps := added(s, defaultCapabilities)
	if bad == nil {
		return nil
	}
	return &violation{"non-default capabilities", fmt.Sprintf("%s must not include %s in securityContext.capabilities.add", named(bad), quote(caps.sorted()))}
}

func hostPaths(s *subject) *violation {
	var bad []string
	for _, v := range s.spec.GetVolumes() {
		if v.GetVolumeSource().GetHostPath() != nil {
			bad = append(bad, v.Name)
		}
	}
	if bad == nil {
		return nil
	}
	return &violation{"hostPath volumes", plural("volume", "volumes", len(bad)) + " " + quote(bad)}
}

func hostPorts(s *subject) *violation {
	ports := set{}
	bad := s.where(func(c container) bool {
		found := false
		for _, p := range c.GetPorts() {
			if p.HostPort != 0 {
				ports.add(strconv.Itoa(int(p.HostPort)))
				found = true
			}
		}
		return found
	})
	if bad == nil {
		return nil
	}
	return &violation{"hostPort", fmt.Sprintf("%s %s %s %s", named(bad), plural("uses", "use", len(bad)),
		plural("hostPort", "hostPorts", len(ports)), strings.Join(ports.sorted(), ", "))}
}

// probeHosts forbids probes and hooks that reach other machines from the node.
func probeHosts(s *subject) *violation {
	hosts := set{}
	bad := s.where(func(c container) bool {
		var list []string
		for _, p := range []*corev1.Probe{c.GetLivenessProbe(), c.GetReadinessProbe(), c.GetStartupProbe()} {
			list = append(list, p.GetHandler().GetHttpGet().GetHost(), p.GetHandler().GetTcpSocket().GetHost())
		}
		for _, l := range []*corev1.LifecycleHandler{c.GetLifecycle().GetPostStart(), c.GetLifecycle().GetPreStop()} {
			list = append(list, l.GetHttpGet().GetHost(), l.GetTcpSocket().GetHost())
		}
		found := false
		for _, h := range list {
			if h != "" {
				hosts.add(h)
				found = true
			}
		}
		return found
	})
	if bad == nil {
		return nil
	}
	return &violation{"probe or lifecycle host", fmt.Sprintf("%s %s probe or lifecycle %s %s", named(bad), plural("uses", "use", len(bad)),
		plural("host", "hosts", len(hosts)), quote(hosts.sorted()))}
}

func procMounts(s *subject) *violation {
	if s.remapped() {
		return nil
	}
	types := set{}
	bad := s.where(func(c container) bool {
		m := c.GetSecurityContext().GetProcMount()
		if m == "" || m == "Default" {
			return false
		}
		types.add(m)
		return true
	})
	if bad == nil {
		return nil
	}
	return &violation{"procMount", fmt.Sprintf("%s must not set securityContext.procMount to %s", named(bad), quote(types.sorted()))}
}

var safeSysctls = []string{
	"kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start",
	"net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
}

func sysctls(s *subject) *violation {
	var bad []string
	for _, c := range s.spec.GetSecurityContext().GetSysctls() {
		if !slices.Contains(safeSysctls, c.Name) {
			bad = append(bad, c.Name)
		}
	}
	if bad == nil {
		return nil
	}
	return &violation{"forbidden sysctls", strings.Join(bad, ", ")}
}

// setters words who sets something: the pod, some containers, or both.
func setters(pod bool, containers []string) string {
	var out []string
	if pod {
		out = append(out, "pod")
	}
	if len(containers) > 0 {
		out = append(out, named(containers))
	}
	return strings.Join(out, " and ")
}

func hostProcess(s *subject) *violation {
	pod := s.spec.GetSecurityContext().GetWindowsOptions().GetHostProcess()
	bad := s.where(func(c container) bool { return c.GetSecurityContext().GetWindowsOptions().GetHostProcess() })
	if !pod && bad == nil {
		return nil
	}
	return &violation{"hostProcess", setters(pod, bad) + " must not set securityContext.windowsOptions.hostProcess=true"}
}
