package events

import "container/list"

// lru is a map that forgets what was not used for longest.
type lru[K comparable, V any] struct {
	limit int
	order *list.List // of pair, the latest in front
	at    map[K]*list.Element
}

type pair[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](limit int) *lru[K, V] {
	return &lru[K, V]{limit: limit, order: list.New(), at: map[K]*list.Element{}}
}

func (l *lru[K, V]) get(key K) (v V, ok bool) {
	e, ok := l.at[key]
	if !ok {
		return v, false
	}
	l.order.MoveToFront(e)
	return e.Value.(pair[K, V]).value, true
}

func (l *lru[K, V]) put(key K, v V) {
	if e, ok := l.at[key]; ok {
		e.Value = pair[K, V]{key, v}
		l.order.MoveToFront(e)
		return
	}
	l.at[key] = l.order.PushFront(pair[K, V]{key, v})
	if l.order.Len() > l.limit {
		l.remove(l.order.Back().Value.(pair[K, V]).key)
	}
}

func (l *lru[K, V]) remove(key K) {
	if e, ok := l.at[key]; ok {
		l.order.Remove(e)
		delete(l.at, key)
	}
}
