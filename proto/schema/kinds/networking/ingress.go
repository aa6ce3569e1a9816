package networking

import (
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	networkingv1 "github.com/keelson/keelson/proto/gen/keelson/networking/v1"
	"github.com/keelson/keelson/proto/schema/format"
	"github.com/keelson/keelson/proto/schema/rule"
)

// oldClass named an ingress' class before there was a field.
const oldClass = "kubernetes.io/ingress.class"

func messages(at *rule.Path, value string, list []string) rule.ErrorList {
	var errs rule.ErrorList
	for _, msg := range list {
		errs = append(errs, field.Invalid(at, value, msg))
	}
	return errs
}

func ingress(i, old *networkingv1.Ingress) rule.ErrorList {
	s, at := i.GetSpec(), field.NewPath("spec")
	var errs rule.ErrorList
	if len(s.GetRules()) == 0 && s.GetDefaultBackend() == nil {
		errs = append(errs, field.Invalid(at, []string{}, "either `defaultBackend` or `rules` must be specified"))
	}
	if b := s.GetDefaultBackend(); b != nil {
		errs = append(errs, backend(b, at.Child("defaultBackend"))...)
	}
	for n, r := range s.GetRules() {
		errs = append(errs, ingressRule(r, at.Child("rules").Index(n))...)
	}
	for n, t := range s.GetTls() {
		at := at.Child("tls").Index(n)
		for n, h := range t.Hosts {
			errs = append(errs, host(h, at.Child("hosts").Index(n))...)
		}
		if t.SecretName != "" {
			errs = append(errs, messages(at.Child("secretName"), t.SecretName, validation.IsDNS1123Subdomain(t.SecretName))...)
		}
	}
	if s == nil || s.IngressClassName == nil {
		return errs
	}
	class := *s.IngressClassName
	errs = append(errs, messages(at.Child("ingressClassName"), class, apivalidation.NameIsDNSSubdomain(class, false))...)
	if was, ok := i.GetMetadata().GetAnnotations()[oldClass]; ok && old == nil && was != class {
		errs = append(errs, field.Invalid(field.NewPath("annotations").Child(oldClass), was, "must match `ingressClassName` when both are specified"))
	}
	return errs
}

func host(text string, at *rule.Path) rule.ErrorList {
	if strings.Contains(text, "*") {
		return messages(at, text, validation.IsWildcardDNS1123Subdomain(text))
	}
	return messages(at, text, validation.IsDNS1123Subdomain(text))
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

const notAddress = "must be a DNS name, not an IP address"

func ingressRule(r *networkingv1.IngressRule, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if r.Host != "" {
		if isAddress(r.Host) {
			errs = append(errs, field.Invalid(at.Child("host"), r.Host, notAddress))
		}
		errs = append(errs, host(r.Host, at.Child("host"))...)
	}
	http := r.GetIngressRuleValue().GetHttp()
	if http == nil {
		return errs
	}
	at = at.Child("http", "paths")
	if len(http.Paths) == 0 {
		errs = append(errs, field.Required(at, ""))
	}
	for i, p := range http.Paths {
		errs = append(errs, path(p, at.Index(i))...)
	}
	return errs
}

func path(p *networkingv1.HTTPIngressPath, at *rule.Path) rule.ErrorList {
	if p.PathType == nil {
		return rule.ErrorList{field.Required(at.Child("pathType"), "pathType must be specified")}
	}
	var errs rule.ErrorList
	absolute := strings.HasPrefix(p.Path, "/")
	switch *p.PathType {
	case "Exact", "Prefix":
		if !absolute {
			errs = append(errs, field.Invalid(at.Child("path"), p.Path, "must be an absolute path"))
		}
		for _, bad := range []string{"//", "/./", "/../", "%2f", "%2F"} {
			if strings.Contains(p.Path, bad) {
				errs = append(errs, field.Invalid(at.Child("path"), p.Path, "must not contain '"+bad+"'"))
			}
		}
		for _, bad := range []string{"/..", "/."} {
			if strings.HasSuffix(p.Path, bad) {
				errs = append(errs, field.Invalid(at.Child("path"), p.Path, "cannot end with '"+bad+"'"))
			}
		}
	case "ImplementationSpecific":
		if p.Path != "" && !absolute {
			errs = append(errs, field.Invalid(at.Child("path"), p.Path, "must be an absolute path"))
		}
	default:
		errs = append(errs, field.NotSupported(at.Child("pathType"), *p.PathType, []string{"Exact", "ImplementationSpecific", "Prefix"}))
	}
	b := p.Backend
	if b == nil {
		b = &networkingv1.IngressBackend{}
	}
	return append(errs, backend(b, at.Child("backend"))...)
}

func backend(b *networkingv1.IngressBackend, at *rule.Path) rule.ErrorList {
	s := b.Service
	switch {
	case s != nil && b.Resource != nil:
		return rule.ErrorList{field.Invalid(at, "", "cannot set both resource and service backends")}
	case b.Resource != nil:
		return reference(b.Resource.ApiGroup, b.Resource.Kind, b.Resource.Name, at.Child("resource"))
	case s == nil:
		return rule.ErrorList{field.Invalid(at, "", "resource or service backend is required")}
	}
	var errs rule.ErrorList
	if s.Name == "" {
		errs = append(errs, field.Required(at.Child("service", "name"), ""))
	} else {
		errs = append(errs, messages(at.Child("service", "name"), s.Name, apivalidation.NameIsDNSLabel(s.Name, false))...)
	}
	name, number := s.GetPort().GetName(), s.GetPort().GetNumber()
	port := at.Child("service", "port")
	switch {
	case name != "" && number != 0:
		errs = append(errs, field.Invalid(at, "", "cannot set both port name & port number"))
	case name != "":
		errs = append(errs, messages(port.Child("name"), name, validation.IsValidPortName(name))...)
	case number != 0:
		for _, msg := range validation.IsValidPortNum(int(number)) {
			errs = append(errs, field.Invalid(port.Child("number"), number, msg))
		}
	default:
		errs = append(errs, field.Required(at, "port name or number is required"))
	}
	return errs
}

// reference checks the name of an object of any kind.
func reference(group *string, kind, name string, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if group != nil {
		errs = append(errs, messages(at.Child("apiGroup"), *group, validation.IsDNS1123Subdomain(*group))...)
	}
	errs = append(errs, segment(kind, at.Child("kind"))...)
	return append(errs, segment(name, at.Child("name"))...)
}

func segment(text string, at *rule.Path) rule.ErrorList {
	if text == "" {
		return rule.ErrorList{field.Required(at, "")}
	}
	return messages(at, text, content.IsPathSegmentName(text))
}

func ingressStatus(i, _ *networkingv1.Ingress) rule.ErrorList {
	var errs rule.ErrorList
	for n, a := range i.GetStatus().GetLoadBalancer().GetIngress() {
		at := field.NewPath("status", "loadBalancer", "ingress").Index(n)
		if a.Ip != "" {
			errs = append(errs, messages(at.Child("ip"), a.Ip, format.IP(a.Ip))...)
		}
		if a.Hostname != "" {
			errs = append(errs, messages(at.Child("hostname"), a.Hostname, validation.IsDNS1123Subdomain(a.Hostname))...)
			if isAddress(a.Hostname) {
				errs = append(errs, field.Invalid(at.Child("hostname"), a.Hostname, notAddress))
			}
		}
	}
	return errs
}

// maxController is the longest name of a controller of ingresses.
const maxController = 250

func ingressClass(c, old *networkingv1.IngressClass) rule.ErrorList {
	s, at := c.GetSpec(), field.NewPath("spec")
	var errs rule.ErrorList
	if old != nil && old.GetSpec().GetController() != s.GetController() {
		errs = append(errs, field.Invalid(at.Child("controller"), s.GetController(), apivalidation.FieldImmutableErrorMsg))
	}
	if len(s.GetController()) > maxController {
		errs = append(errs, field.TooLong(at.Child("controller"), "", maxController))
	}
	errs = append(errs, validation.IsDomainPrefixedPath(at.Child("controller"), s.GetController())...)
	p := s.GetParameters()
	if p == nil {
		return errs
	}
	at = at.Child("parameters")
	errs = append(errs, reference(p.APIGroup, p.Kind, p.Name, at)...)
	switch p.GetScope() {
	case "Namespace":
		if p.Namespace == nil {
			errs = append(errs, field.Required(at.Child("namespace"), "`parameters.scope` is set to 'Namespace'"))
		} else {
			errs = append(errs, messages(at.Child("namespace"), *p.Namespace, apivalidation.NameIsDNSLabel(*p.Namespace, false))...)
		}
	case "Cluster":
		if p.Namespace != nil {
			errs = append(errs, field.Forbidden(at.Child("namespace"), "`parameters.scope` is set to 'Cluster'"))
		}
	default:
		errs = append(errs, field.NotSupported(at.Child("scope"), p.GetScope(), []string{"Cluster", "Namespace"}))
	}
	return errs
}
