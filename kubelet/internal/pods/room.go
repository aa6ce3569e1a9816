package pods

import (
	"maps"
	"sync"

	"github.com/keelson/keelson/kubelet/internal/podspec"
)

// room keeps what the node's pods were given of it, so that a pod that wants more can be told whether that is there.
type room struct {
	cpu, memory int64 // thousandths of a CPU and bytes that pods may have; 0 is unknown, and enough

	mu      sync.Mutex
	given   map[string]podspec.Request
	waiting map[string]func()
}

func newRoom(cpu, memory int64) *room {
	return &room{cpu: cpu, memory: memory, given: map[string]podspec.Request{}, waiting: map[string]func(){}}
}

// Outcomes of try.
const (
	fits = iota
	later
	never
)

// give notes what a pod has, whether there is room for it or not. Who waits for room is told where it has become less.
func (r *room) give(uid string, want podspec.Request) {
	r.mu.Lock()
	told := r.set(uid, want)
	r.mu.Unlock()
	for _, f := range told {
		f()
	}
}

// set notes what a pod has and returns whom to tell; the lock is held.
func (r *room) set(uid string, want podspec.Request) []func() {
	was := r.given[uid]
	r.given[uid] = want
	delete(r.waiting, uid)
	return r.freed(want.CPU < was.CPU || want.Memory < was.Memory)
}

// drop forgets a pod.
func (r *room) drop(uid string) {
	r.mu.Lock()
	_, known := r.given[uid]
	delete(r.given, uid)
	delete(r.waiting, uid)
	told := r.freed(known)
	r.mu.Unlock()
	for _, f := range told {
		f()
	}
}

// freed returns whom to tell that there may be room; the lock is held.
func (r *room) freed(yes bool) []func() {
	if !yes {
		return nil
	}
	var out []func()
	for f := range maps.Values(r.waiting) {
		out = append(out, f)
	}
	clear(r.waiting)
	return out
}

// try gives a pod what it wants in place of what it has. Where there is no room now, what is short is named, and again
// is called when there may be.
func (r *room) try(uid string, want podspec.Request, again func()) (outcome int, short string, asked, has int64) {
	r.mu.Lock()
	var told []func()
	outcome, short, asked, has = r.decide(uid, want)
	switch outcome {
	case later:
		r.waiting[uid] = again
	case fits:
		told = r.set(uid, want)
	}
	r.mu.Unlock()
	for _, f := range told {
		f()
	}
	return outcome, short, asked, has
}

// decide tells whether a pod may have what it wants; the lock is held.
func (r *room) decide(uid string, want podspec.Request) (outcome int, short string, asked, has int64) {
	was := r.given[uid]
	if r.cpu > 0 && want.CPU > r.cpu && want.CPU > was.CPU {
		return never, "cpu", want.CPU, r.cpu
	}
	if r.memory > 0 && want.Memory > r.memory && want.Memory > was.Memory {
		return never, "memory", want.Memory, r.memory
	}
	var others podspec.Request
	for id, g := range r.given {
		if id != uid {
			others.CPU += g.CPU
			others.Memory += g.Memory
		}
	}
	if r.cpu > 0 && want.CPU > was.CPU && others.CPU+want.CPU > r.cpu {
		return later, "cpu", want.CPU, r.cpu - others.CPU
	}
	if r.memory > 0 && want.Memory > was.Memory && others.Memory+want.Memory > r.memory {
		return later, "memory", want.Memory, r.memory - others.Memory
	}
	return fits, "", 0, 0
}
