package watchcache

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/store/envelope"
)

// decode makes an item of what the store has.
func (c *Collection) decode(kv store.KV, namespace, name string) (*item.Item, error) {
	return decode(c.kinds.Load(), kv, namespace, name)
}

// decode reads a value in either of the forms that Kubernetes writes: protobuf in an envelope, or plain JSON.
func decode(v *Versions, kv store.KV, namespace, name string) (*item.Item, error) {
	switch {
	case kv.Err != nil:
		return nil, kv.Err
	case bytes.HasPrefix(kv.Value, encrypted):
		return nil, fmt.Errorf("no matching prefix found: it is encrypted by a provider that this server does not have (%s)", provider(kv.Value))
	case !envelope.Has(kv.Value):
		return decodeJSON(v, kv, namespace, name)
	}
	o, err := envelope.Parse(kv.Value)
	if err != nil {
		return nil, err
	}
	k := v.find(o.APIVersion, o.Kind)
	switch {
	case k == nil || k.IsCustom():
		return nil, fmt.Errorf("stored as %s %s, want %s %s", o.APIVersion, o.Kind, v.Storage.APIVersion(), v.Storage.Kind)
	case !o.Complete || k != v.Storage || o.APIVersion != k.APIVersion():
		return foreign(v, k, o.Raw, kv, namespace, name)
	}
	return item.New(k, o.Raw, kv.Revision, namespace, name)
}

func decodeJSON(v *Versions, kv store.KV, namespace, name string) (*item.Item, error) {
	apiVersion, kind := text(kv.Value, "apiVersion"), text(kv.Value, "kind")
	k := v.find(apiVersion, kind)
	if k == nil {
		return nil, fmt.Errorf("stored as %q %q, want %s %s", apiVersion, kind, v.Storage.APIVersion(), v.Storage.Kind)
	}
	obj, ok := k.New().(item.Object)
	if !ok {
		return nil, fmt.Errorf("%s has no metadata", k.Kind)
	}
	var changed bool
	if custom, ok := obj.(*metav1.CustomObject); ok {
		// What the definition says now holds for what was stored before, too.
		if _, err := codec.Unmarshal(kv.Value, obj, codec.DecodeOptions{}); err != nil {
			return nil, err
		}
		before := custom.Body
		if _, err := k.Unmarshal(kv.Value, obj, codec.DecodeOptions{}); err != nil {
			return nil, err
		}
		k.Default(obj)
		changed = !bytes.Equal(before, custom.Body)
	} else if _, err := codec.Unmarshal(kv.Value, obj, codec.DecodeOptions{}); err != nil {
		return nil, err
	} else {
		return complete(v, k, obj, kv, namespace, name)
	}
	raw, err := item.Encode(obj)
	if err != nil {
		return nil, err
	}
	it, err := item.New(k, raw, kv.Revision, namespace, name)
	if err == nil {
		it.Stale = changed || k != v.Storage
	}
	return it, err
}

// encrypted starts every value that one of Kubernetes' providers has encrypted: "k8s:enc:<provider>:<version>:<key>:".
var encrypted = []byte("k8s:enc:")

func provider(value []byte) string {
	parts := bytes.SplitN(value, []byte(":"), 6)
	return string(bytes.Join(parts[:min(len(parts), 5)], []byte(":")))
}

// text returns a string member of a JSON object.
func text(object []byte, name string) string {
	var s string
	if err := json.Unmarshal(codec.Member(object, name), &s); err != nil {
		return ""
	}
	return s
}
