package core

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// container checks what a container demands beyond the options of its fields. volumes are the names of the pod's.
func container(c *corev1.Container, volumes map[string]bool, hostNetwork bool, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if c.Image != strings.TrimSpace(c.Image) {
		errs = append(errs, field.Invalid(at.Child("image"), c.Image, "must not have leading or trailing whitespace"))
	}
	names := map[string]bool{}
	for i, p := range c.Ports {
		at := at.Child("ports").Index(i)
		if p.Name != "" {
			if names[p.Name] {
				errs = append(errs, field.Duplicate(at.Child("name"), p.Name))
			}
			names[p.Name] = true
		}
		if p.HostPort != 0 {
			errs = append(errs, port(p.HostPort, at.Child("hostPort"))...)
			if hostNetwork && p.HostPort != p.ContainerPort {
				errs = append(errs, field.Invalid(at.Child("containerPort"), p.ContainerPort, "must match `hostPort` when `hostNetwork` is true"))
			}
		}
	}
	errs = append(errs, mounts(c, volumes, at)...)
	for i, e := range c.EnvFrom {
		errs = append(errs, envFrom(e, at.Child("envFrom").Index(i))...)
	}
	if p := c.LivenessProbe; p != nil && p.SuccessThreshold != 1 {
		errs = append(errs, field.Invalid(at.Child("livenessProbe", "successThreshold"), p.SuccessThreshold, "must be 1"))
	}
	if p := c.StartupProbe; p != nil && p.SuccessThreshold != 1 {
		errs = append(errs, field.Invalid(at.Child("startupProbe", "successThreshold"), p.SuccessThreshold, "must be 1"))
	}
	if p := c.ReadinessProbe; p != nil && p.TerminationGracePeriodSeconds != nil {
		errs = append(errs, field.Invalid(at.Child("readinessProbe", "terminationGracePeriodSeconds"), p.GetTerminationGracePeriodSeconds(),
			"must not be set for readinessProbes"))
	}
	return append(errs, securityContext(c.SecurityContext, at.Child("securityContext"))...)
}

func port(n int32, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	for _, msg := range validation.IsValidPortNum(int(n)) {
		errs = append(errs, field.Invalid(at, n, msg))
	}
	return errs
}

// portOrName checks a port that may be named.
func portOrName(p *metav1.IntOrString, at *rule.Path) rule.ErrorList {
	if p.GetType() == 0 {
		return port(p.GetIntVal(), at)
	}
	var errs rule.ErrorList
	for _, msg := range validation.IsValidPortName(p.GetStrVal()) {
		errs = append(errs, field.Invalid(at, p.GetStrVal(), msg))
	}
	return errs
}

func mounts(c *corev1.Container, volumes map[string]bool, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	paths := map[string]bool{}
	for i, m := range c.VolumeMounts {
		at := at.Child("volumeMounts").Index(i)
		if m.Name != "" && !volumes[m.Name] {
			errs = append(errs, field.NotFound(at.Child("name"), m.Name))
		}
		if m.MountPath != "" && paths[m.MountPath] {
			errs = append(errs, field.Invalid(at.Child("mountPath"), m.MountPath, "must be unique"))
		}
		paths[m.MountPath] = true
		if m.SubPath != "" {
			errs = append(errs, localPath(m.SubPath, at.Child("subPath"))...)
		}
		if m.SubPathExpr != "" {
			if m.SubPath != "" {
				errs = append(errs, field.Invalid(at.Child("subPathExpr"), m.SubPathExpr, "subPathExpr and subPath are mutually exclusive"))
			}
			errs = append(errs, localPath(m.SubPathExpr, at.Child("subPathExpr"))...)
		}
		if m.GetRecursiveReadOnly() == "Enabled" {
			errs = append(errs, field.Forbidden(at.Child("recursiveReadOnly"), rule.NotYet+"mounts below a mount stay writable"))
		}
		if m.GetMountPropagation() == "Bidirectional" && !c.GetSecurityContext().GetPrivileged() {
			errs = append(errs, field.Forbidden(at.Child("mountPropagation"), "Bidirectional mount propagation is available only to privileged containers"))
		}
	}
	for i, d := range c.VolumeDevices {
		at := at.Child("volumeDevices").Index(i)
		if d.Name != "" && !volumes[d.Name] {
			errs = append(errs, field.NotFound(at.Child("name"), d.Name))
		}
	}
	return errs
}

// localPath checks a path inside a volume.
func localPath(path string, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if strings.HasPrefix(path, "/") {
		errs = append(errs, field.Invalid(at, path, "must be a relative path"))
	}
	return append(errs, noBacksteps(path, at)...)
}

func noBacksteps(path string, at *rule.Path) rule.ErrorList {
	if slices.Contains(strings.Split(path, "/"), "..") {
		return rule.ErrorList{field.Invalid(at, path, "must not contain '..'")}
	}
	return nil
}

func envFrom(e *corev1.EnvFromSource, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if e.Prefix != "" {
		for _, msg := range validation.IsRelaxedEnvVarName(e.Prefix) {
			errs = append(errs, field.Invalid(at.Child("prefix"), e.Prefix, msg))
		}
	}
	switch {
	case e.ConfigMapRef == nil && e.SecretRef == nil:
		errs = append(errs, field.Invalid(at, "", "must specify one of: `configMapRef` or `secretRef`"))
	case e.ConfigMapRef != nil && e.SecretRef != nil:
		errs = append(errs, field.Invalid(at, "", "may not have more than one field specified at a time"))
	}
	if r := e.ConfigMapRef; r != nil && r.GetLocalObjectReference().GetName() == "" {
		errs = append(errs, field.Required(at.Child("configMapRef", "name"), ""))
	}
	if r := e.SecretRef; r != nil && r.GetLocalObjectReference().GetName() == "" {
		errs = append(errs, field.Required(at.Child("secretRef", "name"), ""))
	}
	return errs
}

// The fields of a pod that the environment and files may show.
var (
	envFields  = []string{"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"}
	fileFields = []string{"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"}
	resources  = []string{"limits.cpu", "limits.memory", "limits.ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage"}
)

func envVar(e *corev1.EnvVar, at *rule.Path) rule.ErrorList {
	from := e.ValueFrom
	if from == nil {
		return nil
	}
	at = at.Child("valueFrom")
	set := 0
	for _, is := range []bool{from.FieldRef != nil, from.ResourceFieldRef != nil, from.ConfigMapKeyRef != nil, from.SecretKeyRef != nil, from.FileKeyRef != nil} {
		if is {
			set++
		}
	}
	var errs rule.ErrorList
	switch {
	case set == 0:
		errs = append(errs, field.Invalid(at, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"))
	case e.Value != "":
		errs = append(errs, field.Invalid(at, "", "may not be specified when `value` is not empty"))
	case set > 1:
		errs = append(errs, field.Invalid(at, "", "may not have more than one field specified at a time"))
	}
	if r := from.FieldRef; r != nil {
		errs = append(errs, fieldRef(r, envFields, at.Child("fieldRef"))...)
	}
	if r := from.ResourceFieldRef; r != nil && r.Resource != "" {
		errs = append(errs, resourceRef(r, at.Child("resourceFieldRef"))...)
	}
	if r := from.ConfigMapKeyRef; r != nil && r.GetLocalObjectReference().GetName() == "" {
		errs = append(errs, field.Required(at.Child("configMapKeyRef", "name"), ""))
	}
	if r := from.SecretKeyRef; r != nil && r.GetLocalObjectReference().GetName() == "" {
		errs = append(errs, field.Required(at.Child("secretKeyRef", "name"), ""))
	}
	return errs
}

func fieldRef(r *corev1.ObjectFieldSelector, allowed []string, at *rule.Path) rule.ErrorList {
	if r.FieldPath == "" {
		return rule.ErrorList{field.Required(at.Child("fieldPath"), "")}
	}
	if base, key, ok := strings.Cut(r.FieldPath, "['"); ok {
		key, closed := strings.CutSuffix(key, "']")
		if closed && (base == "metadata.annotations" || base == "metadata.labels") {
			var errs rule.ErrorList
			check := key
			if base == "metadata.annotations" {
				check = strings.ToLower(key)
			}
			for _, msg := range validation.IsQualifiedName(check) {
				errs = append(errs, field.Invalid(at, key, msg))
			}
			return errs
		}
		return rule.ErrorList{field.Invalid(at.Child("fieldPath"), r.FieldPath, "does not support subscript")}
	}
	if !slices.Contains(allowed, r.FieldPath) {
		return rule.ErrorList{field.NotSupported(at.Child("fieldPath"), r.FieldPath, allowed)}
	}
	return nil
}

func resourceRef(r *corev1.ResourceFieldSelector, at *rule.Path) rule.ErrorList {
	if slices.Contains(resources, r.Resource) || strings.HasPrefix(r.Resource, "limits.hugepages-") || strings.HasPrefix(r.Resource, "requests.hugepages-") {
		return nil
	}
	return rule.ErrorList{field.NotSupported(at.Child("resource"), r.Resource, slices.Sorted(slices.Values(resources)))}
}

func probe(p *corev1.Probe, at *rule.Path) rule.ErrorList {
	h := p.GetHandler()
	errs := handler(h.GetExec(), h.GetHttpGet(), h.GetTcpSocket(), h.GetGrpc(), nil, at)
	if p.TerminationGracePeriodSeconds != nil && p.GetTerminationGracePeriodSeconds() <= 0 {
		errs = append(errs, field.Invalid(at.Child("terminationGracePeriodSeconds"), p.GetTerminationGracePeriodSeconds(), "must be greater than 0"))
	}
	return errs
}

func lifecycleHandler(h *corev1.LifecycleHandler, at *rule.Path) rule.ErrorList {
	return handler(h.Exec, h.HttpGet, h.TcpSocket, nil, h.Sleep, at)
}

// handler checks that there is one handler.
func handler(exec *corev1.ExecAction, http *corev1.HTTPGetAction, tcp *corev1.TCPSocketAction, grpc *corev1.GRPCAction, sleep *corev1.SleepAction, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	first := ""
	for _, h := range []struct {
		name string
		set  bool
	}{{"exec", exec != nil}, {"httpGet", http != nil}, {"tcpSocket", tcp != nil}, {"grpc", grpc != nil}, {"sleep", sleep != nil}} {
		if !h.set {
			continue
		}
		if first != "" {
			errs = append(errs, field.Forbidden(at.Child(h.name), "may not specify more than 1 handler type"))
			continue
		}
		first = h.name
	}
	if first == "" {
		errs = append(errs, field.Required(at, "must specify a handler type"))
	}
	if http != nil {
		errs = append(errs, portOrName(http.Port, at.Child("httpGet", "port"))...)
	}
	if tcp != nil {
		errs = append(errs, portOrName(tcp.Port, at.Child("tcpSocket", "port"))...)
	}
	return errs
}

func securityContext(s *corev1.SecurityContext, at *rule.Path) rule.ErrorList {
	if s == nil {
		return nil
	}
	var errs rule.ErrorList
	errs = append(errs, id(s.RunAsUser, at.Child("runAsUser"))...)
	errs = append(errs, id(s.RunAsGroup, at.Child("runAsGroup"))...)
	if s.GetProcMount() == "Unmasked" {
		// Pods share the node's users: `hostUsers: false` is refused.
		errs = append(errs, field.Invalid(at.Child("procMount"), s.GetProcMount(), "`hostUsers` must be false to use `Unmasked`"))
	}
	if s.AllowPrivilegeEscalation != nil && !*s.AllowPrivilegeEscalation {
		if s.GetPrivileged() {
			errs = append(errs, field.Invalid(at, rule.Value(s), "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"))
		}
		for _, c := range s.GetCapabilities().GetAdd() {
			if c == "CAP_SYS_ADMIN" {
				errs = append(errs, field.Invalid(at, rule.Value(s), "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"))
			}
		}
	}
	return errs
}

func id(n *int64, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if n != nil {
		for _, msg := range validation.IsValidUserID(*n) {
			errs = append(errs, field.Invalid(at, *n, msg))
		}
	}
	return errs
}

// profile checks a seccomp or AppArmor profile.
func profile(typ string, local *string, what string, at *rule.Path) rule.ErrorList {
	switch {
	case typ == "":
		return rule.ErrorList{field.Required(at.Child("type"), "type is required when "+what+" is set")}
	case typ == "Localhost" && (local == nil || *local == ""):
		return rule.ErrorList{field.Required(at.Child("localhostProfile"), fmt.Sprintf("must be set when %s type is Localhost", strings.TrimSuffix(what, "Profile")))}
	case typ != "Localhost" && local != nil:
		return rule.ErrorList{field.Invalid(at.Child("localhostProfile"), *local, fmt.Sprintf("can only be set when %s type is Localhost", strings.TrimSuffix(what, "Profile")))}
	}
	return nil
}
