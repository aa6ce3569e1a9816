package serviceaccount

import (
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"

	"github.com/keelson/keelson/apiserver/internal/authz/feed"
)

// object is what is remembered of something that tokens are bound to.
type object struct {
	uid string
	// deleted is when it was to be gone; zero while nobody asked for that.
	deleted time.Time
}

type key struct{ namespace, name string }

// table holds the objects of one kind.
type table struct {
	mu   sync.RWMutex
	rows map[key]*object
}

func (t *table) get(namespace, name string) *object {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.rows[key{namespace, name}]
}

func (t *table) set(namespace, name string, m *metav1.ObjectMeta) {
	o := &object{uid: m.GetUid()}
	if d := m.GetDeletionTimestamp(); d != nil {
		o.deleted = time.Unix(d.GetSeconds(), int64(d.GetNanos()))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows[key{namespace, name}] = o
}

func (t *table) remove(namespace, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.rows, key{namespace, name})
}

// objects are the views of what tokens are bound to, apart from pods.
type objects struct{ accounts, secrets, nodes *table }

func newObjects() *objects {
	return &objects{
		accounts: &table{rows: make(map[key]*object)},
		secrets:  &table{rows: make(map[key]*object)},
		nodes:    &table{rows: make(map[key]*object)},
	}
}

type withMeta interface {
	proto.Message
	GetMetadata() *metav1.ObjectMeta
}

func (o *objects) views() []feed.View {
	view := func(plural string, t *table, empty func() withMeta) feed.View {
		return feed.View{
			Resource:     &resourcev1.Resource{Version: "v1", Plural: plural},
			MetadataOnly: true,
			Set: func(it *pipeline.Item) error {
				m := empty()
				if err := (proto.UnmarshalOptions{AllowPartial: true, DiscardUnknown: true}).Unmarshal(it.Trimmed(), m); err != nil {
					return err
				}
				t.set(it.Namespace, it.Name, m.GetMetadata())
				return nil
			},
			Delete: t.remove,
		}
	}
	return []feed.View{
		view("serviceaccounts", o.accounts, func() withMeta { return &corev1.ServiceAccount{} }),
		view("secrets", o.secrets, func() withMeta { return &corev1.Secret{} }),
		view("nodes", o.nodes, func() withMeta { return &corev1.Node{} }),
	}
}
