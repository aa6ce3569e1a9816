// Package storagemigration holds the logic of the storagemigration.k8s.io group's kinds that no option can say.
package storagemigration

import (
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	v1 "github.com/keelson/keelson/proto/gen/keelson/storagemigration/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Types of a migration's conditions.
const (
	succeeded = "Succeeded"
	failed    = "Failed"
)

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddKind(s, rule.TypedKind[*v1.StorageVersionMigration]{Validate: migration, ValidateStatus: status})
}

func migration(m, _ *v1.StorageVersionMigration) rule.ErrorList {
	r, at := m.GetSpec().GetResource(), field.NewPath("spec", "resource")
	var errs rule.ErrorList
	if r.GetResource() == "" {
		errs = append(errs, field.Required(at.Child("resource"), "resource is required to be set"))
	} else if e := validation.IsDNS1035Label(r.Resource); len(e) > 0 {
		errs = append(errs, field.Invalid(at.Child("resource"), r.Resource, strings.Join(e, ",")))
	}
	if r.GetGroup() != "" {
		if e := validation.IsDNS1123Subdomain(r.Group); len(e) > 0 {
			errs = append(errs, field.Invalid(at.Child("group"), r.Group, strings.Join(e, ",")))
		}
	}
	return errs
}

// status holds a migration to its outcome: once it has one, that stays.
func status(m, old *v1.StorageVersionMigration) rule.ErrorList {
	s, was, at := m.GetStatus(), old.GetStatus(), field.NewPath("status")
	var errs rule.ErrorList
	if rv := s.GetResourceVersion(); rv != "" {
		if n, err := strconv.ParseUint(rv, 10, 64); err != nil || n == 0 || rv[0] == '0' {
			errs = append(errs, field.Invalid(at.Child("resourceVersion"), rv, "resource version is not well formed: "+rv))
		}
	}
	if was.GetResourceVersion() != "" && was.GetResourceVersion() != s.GetResourceVersion() {
		errs = append(errs, field.Invalid(at.Child("resourceVersion"), s.GetResourceVersion(), "field is immutable"))
	}
	conditions := func(detail string) {
		errs = append(errs, field.Invalid(at.Child("conditions"), rule.Value(s), detail))
	}
	if is(s, succeeded) && is(s, failed) {
		conditions("Both success and failed conditions cannot be true at the same time")
	}
	if is(was, succeeded) && !is(s, succeeded) {
		conditions("Success condition cannot be set to false once it is true")
	}
	if is(was, failed) && !is(s, failed) {
		conditions("Failed condition cannot be set to false once it is true")
	}
	return errs
}

func is(s *v1.StorageVersionMigrationStatus, condition string) bool {
	for _, c := range s.GetConditions() {
		if c.Type == condition {
			return c.Status == "True"
		}
	}
	return false
}
