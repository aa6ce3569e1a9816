package networking

import (
	"net/netip"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	networkingv1 "github.com/keelson/keelson/proto/gen/keelson/networking/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// defaultPolicy gives a policy without a specification one: it is about what comes in to all pods.
func defaultPolicy(p *networkingv1.NetworkPolicy) {
	if p.Spec == nil {
		p.Spec = &networkingv1.NetworkPolicySpec{}
		defaultPolicyTypes(p.Spec)
	}
}

func defaultPolicyTypes(s *networkingv1.NetworkPolicySpec) {
	if len(s.PolicyTypes) > 0 {
		return
	}
	s.PolicyTypes = []string{"Ingress"}
	if len(s.Egress) > 0 {
		s.PolicyTypes = append(s.PolicyTypes, "Egress")
	}
}

func networkPolicy(p, _ *networkingv1.NetworkPolicy) rule.ErrorList {
	if types := p.GetSpec().GetPolicyTypes(); len(types) > 2 {
		return rule.ErrorList{field.Invalid(field.NewPath("spec", "policyTypes"), types, "may not specify more than two policyTypes")}
	}
	return nil
}

func policyPort(p *networkingv1.NetworkPolicyPort, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	add := func(name string, value any, messages ...string) {
		for _, msg := range messages {
			errs = append(errs, field.Invalid(at.Child(name), value, msg))
		}
	}
	switch {
	case p.Port == nil:
		if p.EndPort != nil {
			add("endPort", *p.EndPort, "may not be specified when `port` is not specified")
		}
	case p.Port.GetType() == 0:
		add("port", p.Port.GetIntVal(), validation.IsValidPortNum(int(p.Port.GetIntVal()))...)
		if end := p.EndPort; end != nil {
			if *end < p.Port.GetIntVal() {
				add("endPort", *end, "must be greater than or equal to `port`")
			}
			add("endPort", *end, validation.IsValidPortNum(int(*end))...)
		}
	default:
		if p.EndPort != nil {
			add("endPort", *p.EndPort, "may not be specified when `port` is non-numeric")
		}
		add("port", p.Port.GetStrVal(), validation.IsValidPortName(p.Port.GetStrVal())...)
	}
	return errs
}

func peer(p *networkingv1.NetworkPolicyPeer, at *rule.Path) rule.ErrorList {
	selectors := p.PodSelector != nil || p.NamespaceSelector != nil
	switch {
	case p.IpBlock == nil && !selectors:
		return rule.ErrorList{field.Required(at, "must specify a peer")}
	case p.IpBlock == nil:
		return nil
	}
	errs := block(p.IpBlock, at.Child("ipBlock"))
	if selectors {
		errs = append(errs, field.Forbidden(at, "may not specify both ipBlock and another peer"))
	}
	return errs
}

// cidr checks a network and returns it; ok is false where it is none.
func cidr(text string, at *rule.Path) (network netip.Prefix, ok bool, errs rule.ErrorList) {
	errs = validation.IsValidCIDR(at, text)
	network, err := netip.ParsePrefix(text)
	return network, err == nil, errs
}

func block(b *networkingv1.IPBlock, at *rule.Path) rule.ErrorList {
	if b.Cidr == "" {
		return nil // required by its option
	}
	network, ok, errs := cidr(b.Cidr, at.Child("cidr"))
	if !ok {
		return errs
	}
	for i, text := range b.Except {
		at := at.Child("except").Index(i)
		hole, ok, e := cidr(text, at)
		errs = append(errs, e...)
		if ok && (!network.Contains(hole.Addr()) || network.Bits() >= hole.Bits()) {
			errs = append(errs, field.Invalid(at, text, "must be a strict subset of `cidr`"))
		}
	}
	return errs
}
