package watchcache

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/schema"
)

// foreign makes an item of protobuf that another server has written: in another version perhaps, and without the
// defaults that have been added since. As in Kubernetes they hold for what is stored already.
func foreign(v *Versions, k *schema.Kind, raw []byte, kv store.KV, namespace, name string) (*item.Item, error) {
	obj, ok := k.New().(item.Object)
	if !ok {
		return nil, fmt.Errorf("%s has no metadata", k.Kind)
	}
	if err := proto.Unmarshal(raw, obj); err != nil {
		if k != v.Storage {
			return nil, err
		}
		// Text that is no UTF-8, which Kubernetes lets pass: it is shown as it is.
		return item.New(k, raw, kv.Revision, namespace, name)
	}
	return complete(v, k, obj, kv, namespace, name)
}

// complete makes an item of an object that may lack defaults. Its next write stores them.
func complete(v *Versions, k *schema.Kind, obj item.Object, kv store.KV, namespace, name string) (*item.Item, error) {
	stale := k != v.Storage
	if stale {
		var ok bool
		if obj, ok = k.ToStorage(obj).(item.Object); !ok {
			return nil, fmt.Errorf("%s is not stored as %s", k.Kind, v.Storage.Kind)
		}
	}
	before, err := item.Encode(obj)
	if err != nil {
		return nil, err
	}
	v.Storage.Default(obj)
	after, err := item.Encode(obj)
	if err != nil {
		return nil, err
	}
	it, err := item.New(v.Storage, after, kv.Revision, namespace, name)
	if err == nil {
		it.Stale = stale || !bytes.Equal(before, after)
	}
	return it, err
}
