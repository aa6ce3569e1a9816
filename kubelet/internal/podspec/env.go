package podspec

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// Objects are what pods refer to. An object that doesn't exist is a NotFound error of package apierrors.
type Objects interface {
	ConfigMap(namespace, name string) (*corev1.ConfigMap, error)
	Secret(namespace, name string) (*corev1.Secret, error)
	// Services of a namespace.
	Services(namespace string) []*corev1.Service
	// IsNotFound tells that an error of the above means that the object doesn't exist.
	IsNotFound(error) bool
}

// Env is a container's environment in the order of its definition.
type Env struct {
	names  []string
	values map[string]string
}

func (e *Env) set(name, value string) {
	if _, ok := e.values[name]; !ok {
		e.names = append(e.names, name)
	}
	e.values[name] = value
}

// Lookup finds a variable.
func (e *Env) Lookup(name string) (string, bool) {
	v, ok := e.values[name]
	return v, ok
}

// List is NAME=value, as a process takes it.
func (e *Env) List() []string {
	out := make([]string, 0, len(e.names))
	for _, n := range e.names {
		out = append(out, n+"="+e.values[n])
	}
	return out
}

// Environment resolves a container's variables: those of services first, then envFrom, then env, which may refer to
// what came before. pod's status must hold its addresses.
func Environment(pod *corev1.Pod, c *corev1.Container, objects Objects, allocatable map[string]*metav1.Quantity) (*Env, error) {
	e := &Env{values: map[string]string{}}
	namespace := pod.Metadata.Namespace
	services(e, objects.Services("default"), "kubernetes")
	if pod.Spec.EnableServiceLinks == nil || *pod.Spec.EnableServiceLinks {
		services(e, objects.Services(namespace), "")
	}
	for _, from := range c.EnvFrom {
		if err := envFrom(e, from, namespace, objects); err != nil {
			return nil, err
		}
	}
	for _, v := range c.Env {
		value, skip, err := envValue(e, v, pod, c, objects, allocatable)
		if err != nil {
			return nil, err
		}
		if !skip {
			e.set(v.Name, value)
		}
	}
	return e, nil
}

func envFrom(e *Env, from *corev1.EnvFromSource, namespace string, objects Objects) error {
	switch {
	case from.ConfigMapRef != nil:
		ref := from.ConfigMapRef
		m, err := objects.ConfigMap(namespace, ref.LocalObjectReference.GetName())
		if err != nil {
			if objects.IsNotFound(err) && ref.GetOptional() {
				return nil
			}
			return err
		}
		for _, k := range slices.Sorted(maps.Keys(m.Data)) {
			e.set(from.Prefix+k, m.Data[k])
		}
	case from.SecretRef != nil:
		ref := from.SecretRef
		s, err := objects.Secret(namespace, ref.LocalObjectReference.GetName())
		if err != nil {
			if objects.IsNotFound(err) && ref.GetOptional() {
				return nil
			}
			return err
		}
		for _, k := range slices.Sorted(maps.Keys(s.Data)) {
			e.set(from.Prefix+k, string(s.Data[k]))
		}
	}
	return nil
}

// envValue of one variable; skip tells that it refers to something optional that isn't there.
func envValue(e *Env, v *corev1.EnvVar, pod *corev1.Pod, c *corev1.Container, objects Objects, allocatable map[string]*metav1.Quantity) (value string, skip bool, err error) {
	from, namespace := v.ValueFrom, pod.Metadata.Namespace
	switch {
	case from == nil:
		return Expand(v.Value, e.Lookup), false, nil
	case from.FieldRef != nil:
		value, err = Field(pod, from.FieldRef.FieldPath)
	case from.ResourceFieldRef != nil:
		value, err = ResourceField(pod, c, from.ResourceFieldRef, allocatable)
	case from.ConfigMapKeyRef != nil:
		ref, name := from.ConfigMapKeyRef, from.ConfigMapKeyRef.LocalObjectReference.GetName()
		m, err := objects.ConfigMap(namespace, name)
		if err != nil {
			return "", objects.IsNotFound(err) && ref.GetOptional(), unless(objects.IsNotFound(err) && ref.GetOptional(), err)
		}
		value, ok := m.Data[ref.Key]
		if !ok && !ref.GetOptional() {
			return "", false, fmt.Errorf("couldn't find key %v in ConfigMap %v/%v", ref.Key, namespace, name)
		}
		return value, !ok, nil
	case from.SecretKeyRef != nil:
		ref, name := from.SecretKeyRef, from.SecretKeyRef.LocalObjectReference.GetName()
		s, err := objects.Secret(namespace, name)
		if err != nil {
			return "", objects.IsNotFound(err) && ref.GetOptional(), unless(objects.IsNotFound(err) && ref.GetOptional(), err)
		}
		b, ok := s.Data[ref.Key]
		if !ok && !ref.GetOptional() {
			return "", false, fmt.Errorf("couldn't find key %v in Secret %v/%v", ref.Key, namespace, name)
		}
		return string(b), !ok, nil
	default:
		err = fmt.Errorf("env %q: fileKeyRef is not supported", v.Name)
	}
	return value, false, err
}

func unless(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}

// services adds the variables of services that have a cluster address; only is the name of the one to take, or "".
func services(e *Env, list []*corev1.Service, only string) {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b *corev1.Service) int { return strings.Compare(a.Metadata.Name, b.Metadata.Name) })
	for _, s := range list {
		ip := s.Spec.GetClusterIP()
		if ip == "" || ip == "None" || len(s.Spec.Ports) == 0 || only != "" && s.Metadata.Name != only {
			continue
		}
		prefix := variable(s.Metadata.Name)
		first := s.Spec.Ports[0]
		e.set(prefix+"_SERVICE_HOST", ip)
		e.set(prefix+"_SERVICE_PORT", strconv.Itoa(int(first.Port)))
		for i, p := range s.Spec.Ports {
			if p.Name != "" {
				e.set(prefix+"_SERVICE_PORT_"+variable(p.Name), strconv.Itoa(int(p.Port)))
			}
			protocol := p.Protocol
			if protocol == "" {
				protocol = "TCP"
			}
			url := strings.ToLower(protocol) + "://" + net.JoinHostPort(ip, strconv.Itoa(int(p.Port)))
			if i == 0 {
				e.set(prefix+"_PORT", url)
			}
			port := fmt.Sprintf("%s_PORT_%d_%s", prefix, p.Port, strings.ToUpper(protocol))
			e.set(port, url)
			e.set(port+"_PROTO", strings.ToLower(protocol))
			e.set(port+"_PORT", strconv.Itoa(int(p.Port)))
			e.set(port+"_ADDR", ip)
		}
	}
}

func variable(name string) string {
	return strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}
