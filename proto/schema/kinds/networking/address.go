package networking

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/validate/content"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	networkingv1 "github.com/keelson/keelson/proto/gen/keelson/networking/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

func address(a, _ *networkingv1.IPAddress) rule.ErrorList {
	p, at := a.GetSpec().GetParentRef(), field.NewPath("spec", "parentRef")
	if p == nil {
		return nil // required by its option
	}
	var errs rule.ErrorList
	if p.Group != "" {
		errs = append(errs, messages(at.Child("group"), p.Group, validation.IsDNS1123Subdomain(p.Group))...)
	}
	for _, f := range []struct{ name, value string }{{"resource", p.Resource}, {"name", p.Name}, {"namespace", p.Namespace}} {
		if f.value != "" {
			errs = append(errs, messages(at.Child(f.name), f.value, content.IsPathSegmentName(f.value))...)
		}
	}
	return errs
}

func serviceCIDR(c, old *networkingv1.ServiceCIDR) rule.ErrorList {
	list, at := c.GetSpec().GetCidrs(), field.NewPath("spec", "cidrs")
	was := old.GetSpec().GetCidrs()
	switch {
	case old == nil:
		return networks(c.GetSpec(), at)
	case slices.Equal(was, list):
		return nil
	case len(was) == 1 && len(list) == 2 && was[0] == list[0]:
		return networks(c.GetSpec(), at) // a second family may be added
	case len(was) == len(list):
		var errs rule.ErrorList
		for i := range was {
			if was[i] != list[i] {
				errs = append(errs, field.Invalid(at.Index(i), list[i], apivalidation.FieldImmutableErrorMsg))
			}
		}
		return errs
	}
	return rule.ErrorList{field.Invalid(at, list, apivalidation.FieldImmutableErrorMsg)}
}

func networks(s *networkingv1.ServiceCIDRSpec, at *rule.Path) rule.ErrorList {
	list := s.GetCidrs()
	switch {
	case len(list) == 0:
		return rule.ErrorList{field.Required(at, "at least one CIDR required")}
	case len(list) > 2:
		return rule.ErrorList{field.Invalid(at, rule.Value(s), "may only hold up to 2 values")}
	}
	var errs rule.ErrorList
	families := map[bool]int{}
	for i, text := range list {
		network, ok, e := cidr(text, at.Index(i))
		errs = append(errs, e...)
		if ok {
			families[network.Addr().Is4()]++
		}
	}
	if families[true] == 2 || families[false] == 2 {
		errs = append(errs, field.Invalid(at, list, "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"))
	}
	return errs
}
