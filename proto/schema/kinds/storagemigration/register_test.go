package storagemigration

import (
	"strings"
	"testing"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	v1 "github.com/keelson/keelson/proto/gen/keelson/storagemigration/v1"
)

func TestMigration(t *testing.T) {
	of := func(group, resource string) *v1.StorageVersionMigration {
		return &v1.StorageVersionMigration{Spec: &v1.StorageVersionMigrationSpec{Resource: &metav1.GroupResource{Group: group, Resource: resource}}}
	}
	for _, c := range []struct {
		m    *v1.StorageVersionMigration
		want string
	}{
		{of("", "pods"), ""},
		{of("apps", "deployments"), ""},
		{of("", ""), "spec.resource.resource: Required value"},
		{of("", "Pods"), "spec.resource.resource: Invalid value"},
		{of("a_b", "pods"), "spec.resource.group: Invalid value"},
	} {
		if got := migration(c.m, nil).ToAggregate(); (got == nil) != (c.want == "") || got != nil && !strings.Contains(got.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.m, got, c.want)
		}
	}
}

func TestOutcomeStays(t *testing.T) {
	at := func(version string, types ...string) *v1.StorageVersionMigration {
		s := &v1.StorageVersionMigrationStatus{ResourceVersion: version}
		for _, name := range types {
			s.Conditions = append(s.Conditions, &metav1.Condition{Type: name, Status: "True"})
		}
		return &v1.StorageVersionMigration{Status: s}
	}
	for _, c := range []struct {
		name     string
		old, now *v1.StorageVersionMigration
		want     string
	}{
		{"begun", at(""), at("17", "Running"), ""},
		{"ended", at("17", "Running"), at("17", succeeded), ""},
		{"no version", at(""), at("x"), "status.resourceVersion: Invalid value"},
		{"another version", at("17"), at("18"), "field is immutable"},
		{"both", at("17"), at("17", succeeded, failed), "at the same time"},
		{"success undone", at("17", succeeded), at("17"), "Success condition cannot be set to false"},
		{"failure undone", at("17", failed), at("17"), "Failed condition cannot be set to false"},
	} {
		if got := status(c.now, c.old).ToAggregate(); (got == nil) != (c.want == "") || got != nil && !strings.Contains(got.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, got, c.want)
		}
	}
}
