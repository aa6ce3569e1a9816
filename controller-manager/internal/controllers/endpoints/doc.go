// Package endpoints keeps the Endpoints object of each Service that has a selector, for clients that do not read
// EndpointSlices, such as `kubectl get endpoints`.
//
// It reads Services, Pods and Endpoints, and writes the Endpoints of those Services. The decision is desired, a pure
// function. An Endpoints object is cut at 1,000 addresses and says so in an annotation: slices have no such limit.
package endpoints
