// Package apiregistration holds the logic of the apiregistration.k8s.io group's kinds that no option can say.
package apiregistration

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	apiregistrationv1 "github.com/keelson/keelson/proto/gen/keelson/apiregistration/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Bounds of the priorities.
const (
	maxGroupPriority   = 20000
	maxVersionPriority = 1000
)

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddKind(s, rule.TypedKind[*apiregistrationv1.APIService]{Validate: apiService})
}

func apiService(o, _ *apiregistrationv1.APIService) rule.ErrorList {
	s, at := o.GetSpec(), field.NewPath("spec")
	if s == nil {
		s = &apiregistrationv1.APIServiceSpec{}
	}
	var errs rule.ErrorList
	if want := s.Version + "." + s.Group; o.GetMetadata().GetName() != want {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), o.GetMetadata().GetName(),
			fmt.Sprintf("must be `spec.version+\".\"+spec.group`: %q", want)))
	}
	switch {
	case s.Group == "" && s.Version != "v1":
		errs = append(errs, field.Required(at.Child("group"), "only v1 may have an empty group and it better be legacy kube"))
	case s.Group != "":
		for _, m := range validation.IsDNS1123Subdomain(s.Group) {
			errs = append(errs, field.Invalid(at.Child("group"), s.Group, m))
		}
	}
	for _, m := range validation.IsDNS1035Label(s.Version) {
		errs = append(errs, field.Invalid(at.Child("version"), s.Version, m))
	}
	if p := s.GroupPriorityMinimum; p <= 0 || p > maxGroupPriority {
		errs = append(errs, field.Invalid(at.Child("groupPriorityMinimum"), p, "must be positive and less than 20000"))
	}
	if p := s.VersionPriority; p <= 0 || p > maxVersionPriority {
		errs = append(errs, field.Invalid(at.Child("versionPriority"), p, "must be positive and less than 1000"))
	}
	if s.Service == nil {
		return append(errs, local(s, at)...)
	}
	return append(errs, remote(s, at)...)
}

// local is what holds for APIs that this server serves itself.
func local(s *apiregistrationv1.APIServiceSpec, at *rule.Path) (errs rule.ErrorList) {
	if len(s.CaBundle) > 0 {
		errs = append(errs, field.Invalid(at.Child("caBundle"), fmt.Sprintf("%d bytes", len(s.CaBundle)), "local APIServices may not have a caBundle"))
	}
	if s.InsecureSkipTLSVerify {
		errs = append(errs, field.Invalid(at.Child("insecureSkipTLSVerify"), true, "local APIServices may not have insecureSkipTLSVerify"))
	}
	return errs
}

// remote is what holds for APIs behind a Service.
func remote(s *apiregistrationv1.APIServiceSpec, at *rule.Path) (errs rule.ErrorList) {
	service := at.Child("service")
	if s.Service.Namespace == "" {
		errs = append(errs, field.Required(service.Child("namespace"), ""))
	}
	if s.Service.Name == "" {
		errs = append(errs, field.Required(service.Child("name"), ""))
	}
	for _, m := range validation.IsValidPortNum(int(s.Service.GetPort())) {
		errs = append(errs, field.Invalid(service.Child("port"), s.Service.GetPort(), "port is not valid: "+m))
	}
	if s.InsecureSkipTLSVerify && len(s.CaBundle) > 0 {
		errs = append(errs, field.Invalid(at.Child("insecureSkipTLSVerify"), true, "may not be true if caBundle is present"))
	}
	return errs
}
