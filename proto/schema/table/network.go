package table

import (
	"fmt"
	"slices"
	"strings"
	"time"

	networkingv1 "github.com/keelson/keelson/proto/gen/keelson/networking/v1"
)

var (
	_ = register(ingressCells)
	_ = register(ingressClassCells)
	_ = register(networkPolicyCells)
	_ = register(addressCells)
	_ = name(ingressClassName)
)

// defaultMark follows the name of the class that is used where none is named.
const defaultMark = " (default)"

// shownHosts is how many hosts of an ingress a line names.
const shownHosts = 3

func ingressCells(i *networkingv1.Ingress, now time.Time) []any {
	spec := i.GetSpec()
	class, ports := none, "80"
	if spec != nil && spec.IngressClassName != nil {
		class = *spec.IngressClassName
	}
	if len(spec.GetTls()) > 0 {
		ports = "80, 443"
	}
	var addresses []string
	for _, a := range i.GetStatus().GetLoadBalancer().GetIngress() {
		if text := or(a.Ip, a.Hostname); text != "" && !slices.Contains(addresses, text) {
			addresses = append(addresses, text)
		}
	}
	slices.Sort(addresses)
	return []any{class, hosts(spec.GetRules()), strings.Join(addresses, ","), ports, created(i.Metadata, now)}
}

func hosts(rules []*networkingv1.IngressRule) string {
	var list []string
	more := false
	for _, r := range rules {
		if more = more || len(list) == shownHosts; !more && r.Host != "" {
			list = append(list, r.Host)
		}
	}
	text := or(strings.Join(list, ","), "*")
	if more {
		text += fmt.Sprintf(" + %d more...", len(rules)-shownHosts)
	}
	return text
}

func ingressClassName(c *networkingv1.IngressClass) string {
	name := c.GetMetadata().GetName()
	if c.GetMetadata().GetAnnotations()["ingressclass.kubernetes.io/is-default-class"] == "true" {
		name += defaultMark
	}
	return name
}

func ingressClassCells(c *networkingv1.IngressClass, now time.Time) []any {
	parameters := none
	if p := c.GetSpec().GetParameters(); p != nil {
		parameters = p.Kind
		if p.APIGroup != nil {
			parameters += "." + *p.APIGroup
		}
		parameters += "/" + p.Name
	}
	return []any{c.GetSpec().GetController(), parameters, created(c.Metadata, now)}
}

func networkPolicyCells(p *networkingv1.NetworkPolicy, now time.Time) []any {
	return []any{selector(p.GetSpec().GetPodSelector()), created(p.Metadata, now)}
}

func addressCells(a *networkingv1.IPAddress, now time.Time) []any {
	parent := none
	if p := a.GetSpec().GetParentRef(); p != nil {
		parent = p.Resource
		if p.Group != "" {
			parent += "." + p.Group
		}
		parent = strings.ToLower(parent)
		if p.Namespace != "" {
			parent += "/" + p.Namespace
		}
		parent += "/" + p.Name
	}
	return []any{parent, created(a.Metadata, now)}
}
