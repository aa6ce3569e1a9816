package watchcache

// registry holds a kind's watchers such that a change is shown only to those whom it can concern: a watcher that asks
// for one value of a field (each kubelet for the pods of its node) is found by that value.
type registry struct {
	general map[*Watcher]struct{}
	// byValue: field path -> value -> watchers.
	byValue map[string]map[string]map[*Watcher]struct{}
	// count is how many watchers there are.
	count int
}

func newRegistry() registry {
	return registry{general: map[*Watcher]struct{}{}, byValue: map[string]map[string]map[*Watcher]struct{}{}}
}

func (r *registry) add(w *Watcher) {
	r.count++
	if w.o.Field == "" {
		r.general[w] = struct{}{}
		return
	}
	values := r.byValue[w.o.Field]
	if values == nil {
		values = map[string]map[*Watcher]struct{}{}
		r.byValue[w.o.Field] = values
	}
	if values[w.o.Value] == nil {
		values[w.o.Value] = map[*Watcher]struct{}{}
	}
	values[w.o.Value][w] = struct{}{}
}

func (r *registry) remove(w *Watcher) {
	if w.removed {
		return
	}
	w.removed = true
	r.count--
	if w.o.Field == "" {
		delete(r.general, w)
		return
	}
	values := r.byValue[w.o.Field]
	delete(values[w.o.Value], w)
	if len(values[w.o.Value]) == 0 {
		delete(values, w.o.Value)
	}
	if len(values) == 0 {
		delete(r.byValue, w.o.Field)
	}
}

func (r *registry) all() []*Watcher {
	out := make([]*Watcher, 0, len(r.general))
	for w := range r.general {
		out = append(out, w)
	}
	for _, values := range r.byValue {
		for _, ws := range values {
			for w := range ws {
				out = append(out, w)
			}
		}
	}
	return out
}

func (r *registry) publish(ch *change) {
	for w := range r.general {
		w.offer(ch)
	}
	for field, values := range r.byValue {
		var now, before string
		if ch.item != nil {
			now, _ = ch.item.Field(field)
			for w := range values[now] {
				w.offer(ch)
			}
		}
		if ch.old != nil {
			if before, _ = ch.old.Field(field); ch.item != nil && before == now {
				continue
			}
			for w := range values[before] {
				w.offer(ch)
			}
		}
	}
}
