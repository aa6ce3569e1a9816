package state

import corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"

// HostPort is a port of the node that a container wants for itself.
type HostPort struct {
	Protocol, Address string
	Port              int32
}

const anyAddress = "0.0.0.0"

// Ports counts the host ports in use.
type Ports map[HostPort]int

// Add and Remove count ports in and out.
func (p Ports) Add(ports []HostPort) {
	for _, h := range ports {
		p[h]++
	}
}

// Remove is the inverse of Add.
func (p Ports) Remove(ports []HostPort) {
	for _, h := range ports {
		if p[h]--; p[h] <= 0 {
			delete(p, h)
		}
	}
}

// Conflict tells whether any of the ports is taken. A port on every address conflicts with the same port on any.
func (p Ports) Conflict(ports []HostPort) bool {
	for _, h := range ports {
		if p[h] > 0 || p[HostPort{h.Protocol, anyAddress, h.Port}] > 0 {
			return true
		}
		if h.Address != anyAddress {
			continue
		}
		for used := range p {
			if used.Port == h.Port && used.Protocol == h.Protocol {
				return true
			}
		}
	}
	return false
}

func hostPorts(spec *corev1.PodSpec) []HostPort {
	var out []HostPort
	containers := append([]*corev1.Container(nil), spec.GetContainers()...)
	for _, c := range spec.GetInitContainers() {
		if c.GetRestartPolicy() == "Always" {
			containers = append(containers, c)
		}
	}
	for _, c := range containers {
		for _, port := range c.GetPorts() {
			h := HostPort{port.GetProtocol(), port.GetHostIP(), port.GetHostPort()}
			if h.Port == 0 {
				continue
			}
			if h.Protocol == "" {
				h.Protocol = "TCP"
			}
			if h.Address == "" {
				h.Address = anyAddress
			}
			out = append(out, h)
		}
	}
	return out
}
