// Package table computes what `kubectl get` prints: the columns of a kind, from its options, and the cells of an object,
// by the paths of the columns or, for kinds whose cells are more than a value, by functions of this package.
package table

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/schema"
)

// Column describes one column, in the form of meta.k8s.io TableColumnDefinition.
type Column struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Format      string `json:"format"`
	Description string `json:"description"`
	// Priority 0 is always shown, 1 with -o wide.
	Priority int32 `json:"priority"`
}

// The columns of kinds that define none.
var fallback = []schema.Column{{Name: "Created At", Type: "date", Path: ".metadata.creationTimestamp"}}

const (
	nameDescription = "Name must be unique within a namespace. Is required when creating resources, although some resources may " +
		"allow a client to request the generation of an appropriate name automatically."
	none    = "<none>"
	unknown = "<unknown>"
	unset   = "<unset>"
)

func definitions(k *schema.Kind) []schema.Column {
	switch {
	case len(k.Columns) > 0:
		return k.Columns
	case k.Descriptor != nil && k.Descriptor.FullName() == scaleName:
		return scaleColumns
	}
	return fallback
}

// named tells whether the kind has a name column of its own; otherwise the name comes first.
func named(k *schema.Kind) bool {
	if k.IsCustom() {
		return false // the first column is the name, whatever others there are
	}
	for _, c := range k.Columns {
		if c.Name == "Name" {
			return true
		}
	}
	return false
}

// Columns returns the columns of a kind's table.
func Columns(k *schema.Kind) []Column {
	var out []Column
	if !named(k) {
		out = append(out, Column{Name: "Name", Type: "string", Format: "name", Description: nameDescription})
	}
	for _, c := range definitions(k) {
		out = append(out, Column{Name: c.Name, Type: c.Type, Format: c.Format, Description: c.Description, Priority: c.Priority})
	}
	return out
}

// Cells returns the cells of an object, one for each of Columns: strings, int64s and bools. Ages are as of now.
func Cells(k *schema.Kind, obj proto.Message, now time.Time) []any {
	out := make([]any, 0, len(k.Columns)+2)
	if !named(k) {
		out = append(out, nameOf(k, obj))
	}
	if k.IsCustom() {
		tree, err := k.ToTree(obj)
		if err != nil {
			return append(out, make([]any, len(k.Columns))...)
		}
		return append(out, k.Custom.Cells(tree, now)...)
	}
	if k.Descriptor != nil {
		if f := computed[k.Descriptor.FullName()]; f != nil {
			return append(out, f(obj, now)...)
		}
	}
	for _, c := range definitions(k) {
		out = append(out, at(obj.ProtoReflect(), c.Path, c.Type, now))
	}
	return out
}

// computed are the kinds whose cells are computed. A function returns the cells of all columns but the name.
var computed = map[protoreflect.FullName]func(proto.Message, time.Time) []any{}

// register adds a function, with the paths that it reads where that is a small part of the object.
func register[T proto.Message](f func(T, time.Time) []any, paths ...string) struct{} {
	var zero T
	name := zero.ProtoReflect().Descriptor().FullName()
	computed[name] = func(m proto.Message, now time.Time) []any { return f(m.(T), now) }
	reads[name] = paths
	return struct{}{}
}

// names are the kinds whose name cell says more than the name.
var names = map[protoreflect.FullName]func(proto.Message) string{}

func name[T proto.Message](f func(T) string) struct{} {
	var zero T
	names[zero.ProtoReflect().Descriptor().FullName()] = func(m proto.Message) string { return f(m.(T)) }
	return struct{}{}
}

// Line is one line of a list.
type Line struct {
	// Index is that of the object that it shows.
	Index int
	// Name stands in the place of the object's, where it is not empty.
	Name string
}

// lists are the kinds of whose objects a list says more than each by itself.
var lists = map[protoreflect.FullName]func([]proto.Message) []Line{}

func list[T proto.Message](f func([]T) []Line) struct{} {
	var zero T
	lists[zero.ProtoReflect().Descriptor().FullName()] = func(all []proto.Message) []Line {
		typed := make([]T, len(all))
		for i, m := range all {
			typed[i] = m.(T)
		}
		return f(typed)
	}
	return struct{}{}
}

// Lines returns what puts the objects of a list into lines; nil where each line is that of its object.
func Lines(k *schema.Kind) func([]proto.Message) []Line {
	if k.IsCustom() || k.Descriptor == nil {
		return nil
	}
	return lists[k.Descriptor.FullName()]
}

// Condition is a fact about a row, in the form of meta.k8s.io TableRowCondition.
type Condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// Conditions of an object's row: those of which clients know to leave out what is over.
func Conditions(obj proto.Message) []Condition {
	p, ok := obj.(*corev1.Pod)
	if !ok {
		return nil
	}
	switch phase := p.GetStatus().GetPhase(); phase {
	case "Succeeded":
		return []Condition{{"Completed", "True", phase, "The pod has completed successfully."}}
	case "Failed":
		return []Condition{{"Completed", "True", phase, "The pod failed."}}
	}
	return nil
}

func nameOf(k *schema.Kind, obj proto.Message) string {
	if k.Descriptor != nil {
		if f := names[k.Descriptor.FullName()]; f != nil {
			return f(obj)
		}
	}
	return k.Meta(obj).GetName()
}
