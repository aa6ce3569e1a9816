// Package rule holds what the schema engine and the per-kind logic behind it (package kinds and below) have in common:
// the hooks that a kind or message may register for what no option can say.
package rule

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Path and ErrorList are apimachinery's: the wording of field errors is a fact that clients rely on.
type (
	Path      = field.Path
	ErrorList = field.ErrorList
	Error     = field.Error
)

// NotYet begins what is said of a field on which Keelson does not act yet.
const NotYet = "not supported by Keelson yet: "

// Kind holds the hooks of a root kind. Each may be nil.
type Kind struct {
	// Default runs before the options' defaults. Default and Finish may be told nothing of the request: they are pure.
	Default func(obj proto.Message)
	// Finish runs after the options' defaults and those of the messages inside.
	Finish func(obj proto.Message)
	// Validate adds to what the options and the messages inside demand; old is nil on create.
	Validate func(obj, old proto.Message) ErrorList
	// ValidateStatus checks a write of the status subresource.
	ValidateStatus func(obj, old proto.Message) ErrorList
	// Review sees all errors that were found and returns those that hold for the kind: for a rule of a message inside that
	// the kind has an exception to.
	Review func(obj proto.Message, errs ErrorList) ErrorList
	// Fields computes selectable fields that are not plain paths.
	Fields func(obj proto.Message, set func(path, value string))
	// ToStorage and FromStorage convert to and from the kind that is stored, where that is another.
	ToStorage   func(obj proto.Message) proto.Message
	FromStorage func(stored proto.Message) proto.Message
}

// Message holds the hooks of a message wherever it stands.
type Message struct {
	// Default runs before the options' defaults of the message's own fields, Finish after.
	Default func(m proto.Message)
	Finish  func(m proto.Message)
	// Validate adds to what the options of the message's own fields demand.
	Validate func(m proto.Message, at *Path) ErrorList
}

// Set is a collection of hooks.
type Set struct {
	Kinds    map[protoreflect.FullName]Kind
	Messages map[protoreflect.FullName]Message
}

// TypedKind is Kind with the object's own type.
type TypedKind[T proto.Message] struct {
	Default, Finish          func(T)
	Validate, ValidateStatus func(obj, old T) ErrorList // old is a nil T on create
	Review                   func(obj T, errs ErrorList) ErrorList
	Fields                   func(obj T, set func(path, value string))
	ToStorage                func(T) proto.Message
	FromStorage              func(proto.Message) T
}

// AddKind registers hooks for the kind of message T.
func AddKind[T proto.Message](s *Set, h TypedKind[T]) {
	var k Kind
	k.Default = erase(h.Default)
	k.Finish = erase(h.Finish)
	k.Validate = erasePair(h.Validate)
	k.ValidateStatus = erasePair(h.ValidateStatus)
	if h.Review != nil {
		k.Review = func(m proto.Message, errs ErrorList) ErrorList { return h.Review(m.(T), errs) }
	}
	if h.Fields != nil {
		k.Fields = func(m proto.Message, set func(path, value string)) { h.Fields(m.(T), set) }
	}
	if h.ToStorage != nil {
		k.ToStorage = func(m proto.Message) proto.Message { return h.ToStorage(m.(T)) }
	}
	if h.FromStorage != nil {
		k.FromStorage = func(m proto.Message) proto.Message { return h.FromStorage(m) }
	}
	if s.Kinds == nil {
		s.Kinds = map[protoreflect.FullName]Kind{}
	}
	s.Kinds[nameOf[T]()] = k
}

// TypedMessage is Message with the message's own type.
type TypedMessage[T proto.Message] struct {
	Default, Finish func(T)
	Validate        func(m T, at *Path) ErrorList
}

// AddMessage registers hooks for message T.
func AddMessage[T proto.Message](s *Set, h TypedMessage[T]) {
	m := Message{Default: erase(h.Default), Finish: erase(h.Finish)}
	if h.Validate != nil {
		m.Validate = func(m proto.Message, at *Path) ErrorList { return h.Validate(m.(T), at) }
	}
	if s.Messages == nil {
		s.Messages = map[protoreflect.FullName]Message{}
	}
	s.Messages[nameOf[T]()] = m
}

func nameOf[T proto.Message]() protoreflect.FullName {
	var zero T
	return zero.ProtoReflect().Descriptor().FullName()
}

func erase[T proto.Message](f func(T)) func(proto.Message) {
	if f == nil {
		return nil
	}
	return func(m proto.Message) { f(m.(T)) }
}

func erasePair[T proto.Message](f func(a, b T) ErrorList) func(a, b proto.Message) ErrorList {
	if f == nil {
		return nil
	}
	return func(a, b proto.Message) ErrorList {
		old, _ := b.(T)
		return f(a.(T), old)
	}
}
