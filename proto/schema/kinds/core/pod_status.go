package core

import (
	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/schema/format"
	"github.com/keelson/keelson/proto/schema/rule"
)

const notNegative = "must be a non-negative integer"

func podStatus(p, old *corev1.Pod) rule.ErrorList {
	var errs rule.ErrorList
	at := field.NewPath("status")
	s, was := p.GetStatus(), old.GetStatus()
	for i, c := range s.GetConditions() {
		at := at.Child("conditions").Index(i)
		if c.GetObservedGeneration() < 0 {
			errs = append(errs, field.Invalid(at.Child("observedGeneration"), c.GetObservedGeneration(), notNegative))
		}
		for _, msg := range format.QualifiedName(c.GetType()) {
			errs = append(errs, field.Invalid(at.Child("Type"), c.GetType(), msg))
		}
	}
	if n := s.GetNominatedNodeName(); n != "" && n != was.GetNominatedNodeName() {
		at := at.Child("nominatedNodeName")
		for _, msg := range utilvalidation.IsDNS1123Subdomain(n) {
			errs = append(errs, field.Invalid(at, n, msg))
		}
		if old.GetSpec().GetNodeName() != "" {
			errs = append(errs, field.Forbidden(at, "may not be set on pods that are already bound to a node"))
		}
	}
	if s.GetObservedGeneration() < 0 {
		errs = append(errs, field.Invalid(at.Child("observedGeneration"), s.GetObservedGeneration(), notNegative))
	}
	if c := was.GetQosClass(); c != "" && s.GetQosClass() != c {
		errs = append(errs, field.Invalid(at.Child("qosClass"), s.GetQosClass(), validation.FieldImmutableErrorMsg))
	}
	had := map[string]bool{}
	for _, ip := range was.GetPodIPs() {
		had[ip.GetIp()] = true
	}
	for i, ip := range s.GetPodIPs() {
		errs = append(errs, newAddress(ip.GetIp(), had, at.Child("podIPs").Index(i))...)
	}
	clear(had)
	for _, ip := range was.GetHostIPs() {
		had[ip.GetIp()] = true
	}
	for i, ip := range s.GetHostIPs() {
		errs = append(errs, newAddress(ip.GetIp(), had, at.Child("hostIPs").Index(i))...)
	}
	return errs
}

// newAddress refuses a malformed address that was not stored before.
func newAddress(ip string, had map[string]bool, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if !had[ip] {
		for _, msg := range format.IP(ip) {
			errs = append(errs, field.Invalid(at, ip, msg))
		}
	}
	return errs
}
