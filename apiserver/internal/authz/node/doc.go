// Package node confines a kubelet to what its own pods need.
//
// A node's certificate lies on a machine that runs other people's containers. Whoever breaks out of one must not get
// more of the cluster than that machine already holds: not the secrets of pods elsewhere, not the right to change
// another node. Two doors see to that:
//
//   - Authorizer decides on requests. Graph knows which node each pod is bound to and which secrets, configuration maps,
//     volume claims and service accounts the pod names; a kubelet reads those and no others.
//   - Restriction is an admission plugin. It looks into what a kubelet writes: only its own Node, without the labels that
//     others rely on to keep away from it, only status of pods on it, only tokens bound to pods on it.
//
// Both speak in Kubernetes' words.
package node
