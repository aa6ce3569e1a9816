package core

import (
	"fmt"
	"math"
	"regexp"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/schema/format"
	"github.com/keelson/keelson/proto/schema/rule"
)

// maxNameservers and the like are the limits of resolv.conf.
const (
	maxNameservers = 3
	maxSearches    = 32
)

// podSpec checks a pod's specification, or that of a template, beyond the options of its fields.
func podSpec(s *corev1.PodSpec, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	volumes := map[string]bool{}
	for i, v := range s.Volumes {
		if v.Name != "" && volumes[v.Name] {
			errs = append(errs, field.Duplicate(at.Child("volumes").Index(i).Child("name"), v.Name))
		}
		volumes[v.Name] = true
	}
	errs = append(errs, containers(s, volumes, at)...)
	errs = append(errs, rule.Labels(s.NodeSelector, at.Child("nodeSelector"))...)
	if n := s.ActiveDeadlineSeconds; n != nil && (*n < 1 || *n > math.MaxInt32) {
		errs = append(errs, field.Invalid(at.Child("activeDeadlineSeconds"), *n, validation.InclusiveRangeError(1, math.MaxInt32)))
	}
	if s.GetShareProcessNamespace() && s.HostPID {
		errs = append(errs, field.Invalid(at.Child("shareProcessNamespace"), true, "ShareProcessNamespace and HostPID cannot both be enabled"))
	}
	if p := s.SecurityContext; p != nil {
		errs = append(errs, podSecurity(p, at.Child("securityContext"))...)
	}
	errs = append(errs, dns(s, at)...)
	for i, t := range s.Tolerations {
		errs = append(errs, Toleration(t, at.Child("tolerations").Index(i))...)
	}
	seen := map[string]bool{}
	for i, g := range s.SchedulingGates {
		if seen[g.Name] {
			errs = append(errs, field.Duplicate(at.Child("schedulingGates").Index(i), g.Name))
		}
		seen[g.Name] = true
	}
	for i, c := range s.TopologySpreadConstraints {
		errs = append(errs, spread(c, at.Child("topologySpreadConstraints").Index(i))...)
	}
	if s.HostUsers != nil && !*s.HostUsers {
		errs = append(errs, field.Forbidden(at.Child("hostUsers"), rule.NotYet+"pods share the node's users"))
	}
	if s.Os != nil {
		switch at := at.Child("os", "name"); s.Os.Name {
		case "linux":
		case "":
			errs = append(errs, field.Required(at, "cannot be empty"))
		case "windows":
			errs = append(errs, field.Forbidden(at, rule.NotYet+"nodes run Linux"))
		default:
			errs = append(errs, field.NotSupported(at, s.Os.Name, []string{"linux", "windows"}))
		}
	}
	return errs
}

func containers(s *corev1.PodSpec, volumes map[string]bool, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	taken := map[string]bool{}
	hostPorts := map[string]bool{}
	for _, list := range []struct {
		path *rule.Path
		init bool
		all  []*corev1.Container
	}{{at.Child("containers"), false, s.Containers}, {at.Child("initContainers"), true, s.InitContainers}} {
		for i, c := range list.all {
			at := list.path.Index(i)
			if c.Name != "" && taken[c.Name] {
				errs = append(errs, field.Duplicate(at.Child("name"), c.Name))
			}
			taken[c.Name] = true
			errs = append(errs, container(c, volumes, s.HostNetwork, at)...)
			errs = append(errs, resizePolicy(c.ResizePolicy, s.RestartPolicy, at.Child("resizePolicy"))...)
			sidecar := c.GetRestartPolicy() == "Always"
			if list.init && !sidecar {
				for _, f := range []struct {
					name string
					set  bool
				}{{"lifecycle", c.Lifecycle != nil}, {"livenessProbe", c.LivenessProbe != nil}, {"readinessProbe", c.ReadinessProbe != nil}, {"startupProbe", c.StartupProbe != nil}} {
					if f.set {
						errs = append(errs, field.Forbidden(at.Child(f.name), "may not be set for init containers without restartPolicy=Always"))
					}
				}
			}
			if p := c.RestartPolicy; p != nil && *p != "Always" && *p != "OnFailure" && *p != "Never" {
				errs = append(errs, field.NotSupported(at.Child("restartPolicy"), *p, []string{"Always", "Never", "OnFailure"}))
			}
			if list.init && !sidecar {
				continue // they run one after the other
			}
			for j, p := range c.Ports {
				if p.HostPort == 0 {
					continue
				}
				key := fmt.Sprintf("%s/%s/%d", p.Protocol, p.HostIP, p.HostPort)
				if hostPorts[key] {
					errs = append(errs, field.Duplicate(at.Child("ports").Index(j).Child("hostPort"), key))
				}
				hostPorts[key] = true
			}
		}
	}
	return append(errs, ephemerals(s, taken, volumes, at.Child("ephemeralContainers"))...)
}

const maxSysctl = 253

var sysctlName = regexp.MustCompile(`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`)

func sysctls(list []*corev1.Sysctl, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	seen := map[string]bool{}
	for i, s := range list {
		at := at.Index(i).Child("name")
		switch {
		case s.Name == "":
			errs = append(errs, field.Required(at, ""))
		case len(s.Name) > maxSysctl || !sysctlName.MatchString(s.Name):
			errs = append(errs, field.Invalid(at, s.Name, fmt.Sprintf("must have at most %d characters and match regex %s", maxSysctl, sysctlName)))
		case seen[s.Name]:
			errs = append(errs, field.Duplicate(at, s.Name))
		}
		seen[s.Name] = true
	}
	return errs
}

func podSecurity(p *corev1.PodSecurityContext, at *rule.Path) rule.ErrorList {
	errs := id(p.RunAsUser, at.Child("runAsUser"))
	errs = append(errs, id(p.RunAsGroup, at.Child("runAsGroup"))...)
	errs = append(errs, id(p.FsGroup, at.Child("fsGroup"))...)
	for i, g := range p.SupplementalGroups {
		errs = append(errs, id(&g, at.Child("supplementalGroups").Index(i))...)
	}
	return append(errs, sysctls(p.Sysctls, at.Child("sysctls"))...)
}

func dns(s *corev1.PodSpec, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	c := s.DnsConfig
	at = at.Child("dnsConfig")
	if s.DnsPolicy == "None" {
		if c == nil {
			return append(errs, field.Required(at, "must provide `dnsConfig` when `dnsPolicy` is None"))
		}
		if len(c.Nameservers) == 0 {
			errs = append(errs, field.Required(at.Child("nameservers"), "must provide at least one DNS nameserver when `dnsPolicy` is None"))
		}
	}
	if len(c.GetNameservers()) > maxNameservers {
		errs = append(errs, field.Invalid(at.Child("nameservers"), c.Nameservers, fmt.Sprintf("must not have more than %d nameservers", maxNameservers)))
	}
	for i, n := range c.GetNameservers() {
		for _, msg := range format.IP(n) {
			errs = append(errs, field.Invalid(at.Child("nameservers").Index(i), n, msg))
		}
	}
	if len(c.GetSearches()) > maxSearches {
		errs = append(errs, field.Invalid(at.Child("searches"), c.Searches, fmt.Sprintf("must not have more than %d search paths", maxSearches)))
	}
	return errs
}

// Toleration checks one toleration.
func Toleration(t *corev1.Toleration, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if t.Key != "" {
		for _, msg := range format.QualifiedName(t.Key) {
			errs = append(errs, field.Invalid(at.Child("key"), t.Key, msg))
		}
	} else if t.Operator != "Exists" {
		errs = append(errs, field.Invalid(at.Child("operator"), t.Operator, "operator must be Exists when `key` is empty, which means \"match all values and all keys\""))
	}
	if t.TolerationSeconds != nil && t.Effect != "NoExecute" {
		errs = append(errs, field.Invalid(at.Child("effect"), t.Effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
	}
	switch t.Operator {
	case "", "Equal":
		for _, msg := range format.LabelValue(t.Value) {
			errs = append(errs, field.Invalid(at.Child("operator"), t.Value, msg))
		}
	case "Exists":
		if t.Value != "" {
			errs = append(errs, field.Invalid(at.Child("operator"), rule.Value(t), "value must be empty when `operator` is 'Exists'"))
		}
	default:
		errs = append(errs, field.NotSupported(at.Child("operator"), t.Operator, []string{"Equal", "Exists"}))
	}
	switch t.Effect {
	case "", "NoSchedule", "PreferNoSchedule", "NoExecute":
	default:
		errs = append(errs, field.NotSupported(at.Child("effect"), t.Effect, []string{"NoExecute", "NoSchedule", "PreferNoSchedule"}))
	}
	return errs
}

func spread(c *corev1.TopologySpreadConstraint, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if c.MaxSkew <= 0 {
		errs = append(errs, field.Invalid(at.Child("maxSkew"), c.MaxSkew, "must be greater than zero"))
	}
	if c.TopologyKey == "" {
		errs = append(errs, field.Required(at.Child("topologyKey"), "can not be empty"))
	}
	if c.WhenUnsatisfiable != "DoNotSchedule" && c.WhenUnsatisfiable != "ScheduleAnyway" {
		errs = append(errs, field.NotSupported(at.Child("whenUnsatisfiable"), c.WhenUnsatisfiable, []string{"DoNotSchedule", "ScheduleAnyway"}))
	}
	if n := c.MinDomains; n != nil && *n > 0 && c.WhenUnsatisfiable != "DoNotSchedule" {
		errs = append(errs, field.Invalid(at.Child("minDomains"), *n, "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not "+c.WhenUnsatisfiable))
	}
	return errs
}
