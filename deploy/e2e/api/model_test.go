package api

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/kubernetes/scheme"
)

// token is the label that tells every write from every other one.
const token = "token"

// object is what the tests know of one state of an object.
type object struct {
	namespace, name string
	revision        int64
	labels          map[string]string
	node, phase     string
}

// key orders objects as their keys in etcd are ordered.
func (o *object) key() string {
	if o.namespace == "" {
		return o.name
	}
	return o.namespace + "/" + o.name
}

func (o *object) String() string {
	if o == nil {
		return "nothing"
	}
	return fmt.Sprintf("%s@%d(%s)", o.key(), o.revision, o.labels[token])
}

// change is one change of one object; object is nil where it was deleted.
type change struct {
	revision int64
	key      string
	object   *object
}

// history is all that has happened to a kind, in order. It is the truth that everything is measured by.
type history []change

// selection is what a reader asks for.
type selection struct {
	kind      *kind
	namespace string
	color     string // label, "" is any
	not       bool   // the label is another one, or none
	node      string // field spec.nodeName, "" is any
	phase     string // field status.phase, "" is any
}

func (s selection) labels() string {
	switch {
	case s.color == "":
		return ""
	case s.not:
		return "color!=" + s.color
	}
	return "color in (" + s.color + ",none)"
}

func (s selection) fields() string {
	var f []string
	if s.node != "" {
		f = append(f, "spec.nodeName="+s.node)
	}
	if s.phase != "" {
		f = append(f, "status.phase!="+s.phase)
	}
	return strings.Join(f, ",")
}

func (s selection) String() string {
	return fmt.Sprintf("%s in %q with %q and %q", s.kind.plural, s.namespace, s.labels(), s.fields())
}

func (s selection) matches(o *object) bool {
	return o != nil && (s.namespace == "" || s.namespace == o.namespace) &&
		(s.color == "" || (s.color == o.labels["color"]) != s.not) &&
		(s.node == "" || s.node == o.node) && (s.phase == "" || s.phase != o.phase)
}

// state is what a selection holds at a revision, in order.
func (h history) state(s selection, revision int64) []*object {
	now := map[string]*object{}
	for _, c := range h {
		if c.revision > revision {
			break
		}
		if now[c.key] = c.object; c.object == nil {
			delete(now, c.key)
		}
	}
	var out []*object
	for _, k := range slices.Sorted(maps.Keys(now)) {
		if s.matches(now[k]) {
			out = append(out, now[k])
		}
	}
	return out
}

// event is what a watcher is told, or has to be told. A bookmark has only a revision.
type event struct {
	kind   string // ADDED, MODIFIED, DELETED, BOOKMARK
	object *object
	// revision is that of the change.
	revision int64
	// initialEnd marks the bookmark that ends the initial state.
	initialEnd bool
}

func (e event) String() string {
	if e.object == nil {
		return fmt.Sprintf("%s@%d", e.kind, e.revision)
	}
	return fmt.Sprintf("%s %v at %d", e.kind, e.object, e.revision)
}

// same compares what a watcher was told with what it had to be told. Whoever is told of a deletion sees the object as
// it was when the selection last held it.
func (e event) same(want event) bool {
	return e.kind == want.kind && e.revision == want.revision && e.object.key() == want.object.key() &&
		e.object.labels[token] == want.object.labels[token]
}

// events are what a watcher of a selection has to be told from a revision on.
func (h history) events(s selection, after int64) []event {
	before := map[string]*object{}
	var out []event
	for _, c := range h {
		was := before[c.key]
		before[c.key] = c.object
		if c.revision <= after {
			continue
		}
		switch now, then := s.matches(c.object), s.matches(was); {
		case now && then:
			out = append(out, event{kind: "MODIFIED", object: c.object, revision: c.revision})
		case now:
			out = append(out, event{kind: "ADDED", object: c.object, revision: c.revision})
		case then:
			out = append(out, event{kind: "DELETED", object: was, revision: c.revision})
		}
	}
	return out
}

// record is the history of all kinds as etcd has it.
type record struct {
	mu      sync.Mutex
	byKind  map[string]history
	seen    int64
	broken  []string
	stopped chan struct{}
}

func newRecord() *record { return &record{byKind: map[string]history{}, stopped: make(chan struct{})} }

// follow records what happens in an etcd cluster from its first revision until the context ends.
func (r *record) follow(ctx context.Context, c *clientv3.Client) {
	go func() {
		defer close(r.stopped)
		for resp := range c.Watch(clientv3.WithRequireLeader(ctx), "\x00", clientv3.WithFromKey(), clientv3.WithRev(1)) {
			if err := resp.Err(); err != nil && ctx.Err() == nil {
				r.mu.Lock()
				r.broken = append(r.broken, "the recording ended: "+err.Error())
				r.mu.Unlock()
				return
			}
			for _, e := range resp.Events {
				r.add(e.Kv, e.Type == clientv3.EventTypeDelete)
			}
		}
	}()
}

// reached tells whether everything up to a revision is recorded.
func (r *record) reached(revision int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen >= revision
}

func (r *record) of(k *kind) history {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byKind[k.plural]
}

func (r *record) add(kv *mvccpb.KeyValue, deleted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = max(r.seen, kv.ModRevision)
	for _, k := range kinds {
		key, ok := strings.CutPrefix(string(kv.Key), "/registry/"+k.path+"/")
		if !ok {
			continue
		}
		c := change{revision: kv.ModRevision, key: key}
		if !deleted {
			var err error
			if c.object, err = read(kv.Value); err != nil {
				r.broken = append(r.broken, fmt.Sprintf("%s at %d: %v", kv.Key, kv.ModRevision, err))
			} else {
				c.object.revision = kv.ModRevision
			}
		}
		r.byKind[k.plural] = append(r.byKind[k.plural], c)
	}
}

// read decodes a stored value with Kubernetes' own decoder.
func read(value []byte) (*object, error) {
	obj, _, err := scheme.Codecs.UniversalDeserializer().Decode(value, nil, nil)
	if err != nil {
		return nil, err
	}
	m, err := meta.Accessor(obj)
	if err != nil {
		return nil, err
	}
	o := &object{namespace: m.GetNamespace(), name: m.GetName(), labels: m.GetLabels()}
	if p, ok := obj.(*corev1.Pod); ok {
		o.node, o.phase = p.Spec.NodeName, string(p.Status.Phase)
	}
	return o, nil
}

// readDatabase records all that is in the database of a server that has been stopped.
func (r *record) readDatabase(dir string) error {
	db, err := bolt.Open(filepath.Join(dir, "etcd", "member", "snap", "db"), 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer db.Close()
	type entry struct {
		main, sub int64
		kv        *mvccpb.KeyValue
		deleted   bool
	}
	var all []entry
	err = db.View(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("key")).ForEach(func(k, v []byte) error {
			// A revision is main_sub, and a t behind it where the key was deleted.
			e := entry{main: int64(binary.BigEndian.Uint64(k)), sub: int64(binary.BigEndian.Uint64(k[9:])), kv: &mvccpb.KeyValue{}, deleted: len(k) > 17}
			if err := proto.Unmarshal(v, e.kv); err != nil {
				return err
			}
			e.kv.ModRevision = e.main
			all = append(all, e)
			return nil
		})
	})
	if err != nil {
		return err
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].main < all[j].main || all[i].main == all[j].main && all[i].sub < all[j].sub
	})
	for _, e := range all {
		r.add(e.kv, e.deleted)
	}
	return nil
}
