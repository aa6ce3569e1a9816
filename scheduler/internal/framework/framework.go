// Package framework is the vocabulary in which plugins say where a pod can run, in the terms of Kubernetes' scheduling
// framework (https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/).
//
// There are two sorts of plugins. A node plugin looks at one node at a time: what it says of a node holds until that
// node changes, so the decision keeps it. A topology plugin looks at the pods of the whole cluster and is asked anew for
// each pod. Both are compiled for a class of pods first, and say nothing (nil) where a class does not concern them.
package framework

import "github.com/keelson/keelson/scheduler/internal/state"

// MaxScore is the best that a plugin can say of a node; 0 is the worst. The scale is fine, so that two nodes are seldom
// alike.
const MaxScore = 1_000_000

// Event is something that happens in the cluster and can make room for a pod that found none.
type Event uint8

// Events.
const (
	// NodeChanged: a node came, or its labels, taints or allocatable resources changed.
	NodeChanged Event = 1 << iota
	// PodGone: a pod freed its room.
	PodGone
	// PodPlaced: a pod got room; only affinity to it can be helped by that.
	PodPlaced
)

// Filter says of a node why the pods of a class cannot run there: one sentence fragment a reason, as `kubectl describe`
// counts them ("Insufficient cpu"). No reason: they can.
type Filter func(n *state.Node) []string

// Score ranks a node for the pods of a class between 0 and MaxScore.
type Score func(n *state.Node) int64

// NodePlugin looks at one node at a time.
type NodePlugin interface {
	// Name is Kubernetes' name of the plugin: "NodeResourcesFit".
	Name() string
	// Filter and Score compile for a class; nil where the plugin has nothing to say.
	Filter(class *state.Class) Filter
	Score(class *state.Class) Score
	// Weight multiplies the score.
	Weight() int64
	// Helps are the events after which a refusal may no longer hold.
	Helps() Event
}

// TopologyPlugin looks at the pods of the whole cluster.
type TopologyPlugin interface {
	Name() string
	// Track compiles for a class and follows the state from then on.
	Track(class *state.Class) Tracker
	Weight() int64
	Helps() Event
}

// Tracker is a topology plugin's knowledge for one class.
type Tracker interface {
	// Begin is called before the nodes are looked at for a pod of the class; false: the plugin has nothing to say now.
	Begin() bool
	// Filter returns why the pod cannot run on the node; empty where it can.
	Filter(n *state.Node) string
	// Score returns a raw preference, of any scale, the more the better: the decision normalises it over the feasible
	// nodes.
	Score(n *state.Node) float64
	// Stop ends the following.
	Stop()
}
