// Package discovery holds the logic of the discovery.k8s.io group's kinds that no option can say.
package discovery

import (
	"net/netip"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
	"github.com/keelson/keelson/proto/schema/format"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddKind(s, rule.TypedKind[*discoveryv1.EndpointSlice]{Validate: slice})
}

func slice(s, _ *discoveryv1.EndpointSlice) rule.ErrorList {
	var errs rule.ErrorList
	for i, e := range s.Endpoints {
		at := field.NewPath("endpoints").Index(i)
		for j, a := range e.Addresses {
			errs = append(errs, address(s.AddressType, a, at.Child("addresses").Index(j))...)
		}
		if e.NodeName != nil {
			for _, msg := range format.Subdomain(*e.NodeName) {
				errs = append(errs, field.Invalid(at.Child("nodeName"), *e.NodeName, msg))
			}
		}
	}
	names := map[string]bool{}
	for i, p := range s.Ports {
		at := field.NewPath("ports").Index(i)
		name := p.GetName()
		if names[name] {
			errs = append(errs, field.Duplicate(at.Child("name"), name))
		}
		names[name] = true
		if name != "" {
			for _, msg := range format.Label(name) {
				errs = append(errs, field.Invalid(at.Child("name"), name, msg))
			}
		}
		if p.Port != nil {
			for _, msg := range validation.IsValidPortNum(int(*p.Port)) {
				errs = append(errs, field.Invalid(at.Child("port"), *p.Port, msg))
			}
		}
	}
	return errs
}

func address(kind, text string, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	problems := format.IP(text)
	switch kind {
	case "IPv4", "IPv6":
		if a, err := netip.ParseAddr(text); err == nil && a.Is4() != (kind == "IPv4") {
			problems = []string{"must be a valid " + kind + " address"}
		}
	case "FQDN":
		problems = format.Subdomain(text)
	}
	for _, msg := range problems {
		errs = append(errs, field.Invalid(at, text, msg))
	}
	return errs
}
