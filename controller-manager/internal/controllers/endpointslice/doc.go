// Package endpointslice keeps the EndpointSlices of Services that have a selector.
//
// It reads Services, Pods, Nodes (for zones) and EndpointSlices. It writes the EndpointSlices that carry its name in the
// label endpointslice.kubernetes.io/managed-by; slices of other managers are left alone.
//
// A change costs as few writes as possible: endpoints stay in the slice that they are in, new ones fill slices that
// change anyhow before they open others, and a slice is deleted once it is empty. The decision is plan, a pure function.
package endpointslice
