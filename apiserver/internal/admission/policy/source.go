package policy

import (
	"cmp"
	"slices"
	"sync/atomic"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

const group = "admissionregistration.k8s.io"

// source holds what the objects of a kind have been compiled to, anew when one changes.
type source[T any] struct {
	resource string
	compile  func(name string, msg proto.Message) T
	log      *zap.Logger
	last     atomic.Pointer[state[T]]
}

type state[T any] struct {
	items  []*item.Item
	byItem map[*item.Item]T
	all    []T
}

// current returns them by name. The slice is the same one as long as nothing changes.
func (s *source[T]) current(access strategy.Access) []T {
	items := access.Items(group, s.resource, "")
	last := s.last.Load()
	if last != nil && slices.Equal(last.items, items) {
		return last.all
	}
	slices.SortStableFunc(items, func(a, b *item.Item) int { return cmp.Compare(a.Name, b.Name) })
	next := &state[T]{items: items, byItem: make(map[*item.Item]T, len(items)), all: make([]T, 0, len(items))}
	for _, it := range items {
		var v T
		known := false
		if last != nil {
			v, known = last.byItem[it]
		}
		if !known {
			msg, err := it.Decode()
			if err != nil {
				s.log.Error("policy cannot be read", zap.String("resource", s.resource), zap.String("name", it.Name), zap.Error(err))
				continue
			}
			v = s.compile(it.Name, msg)
		}
		next.byItem[it] = v
		next.all = append(next.all, v)
	}
	s.last.Store(next)
	return next.all
}
