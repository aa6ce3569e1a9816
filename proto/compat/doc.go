// Package compat proves that Keelson's API is Kubernetes' API: every type with a counterpart in k8s.io/api is filled
// with random values and sent through both, as protobuf and as JSON, in both directions. The table of types is derived
// from the linked descriptors, so that a new kind is covered without a change here.
//
// It also compares proto/codec with apimachinery's JSON serializer, in behaviour (TestErrorsAreTheirs, FuzzJSON) and
// in speed (the benchmarks). The package holds tests only and is imported by nobody: it is the one place that
// depends on k8s.io/api.
package compat
