// Package item holds the read side's currency: one stored object at one revision, as immutable bytes, with the few
// values that selectors and authorization need.
package item

import (
	"sync/atomic"
	"weak"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/keelson/keelson/proto/codec"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/wire"
)

// Item is one object at one revision. It is shared by everybody who reads the object and never changes; its byte
// slices must not be written to.
type Item struct {
	Kind *schema.Kind
	// Revision is the resource version as a number; 0 for an object that was never stored (a review, a dry run).
	Revision  int64
	Namespace string
	Name      string
	// places are those of the kind's selectable fields, by index of Kind.SelectableFields, and behind them of the labels'
	// keys and values, sorted by key.
	places     []place
	selectable int
	// own are the bytes that the item has for itself: the object up to body, then the resource version up to trimmed, then
	// the managed fields, without those pieces that it shares with other items.
	own           []byte
	cuts          []cut
	body, trimmed int
	computed      atomic.Pointer[map[string]string]
	// json and wire are encodings that somebody may still use.
	json, wire atomic.Pointer[weak.Pointer[[]byte]]
	views      atomic.Pointer[view]
	// checked is set once the whole object has been encoded as JSON: the raw JSON in it need not be looked at again.
	// checkedMeta says the same of the metadata alone.
	checked, checkedMeta atomic.Bool
	// Stale tells that the store has the object in another form than it would be written in now: a write that changes
	// nothing still has something to do.
	Stale bool
}

// view is the object in another version, in a list of such.
type view struct {
	item *Item
	next *view
}

// View returns the item in the form of another kind where SetView has remembered it, else nil.
func (i *Item) View(k *schema.Kind) *Item {
	for v := i.views.Load(); v != nil; v = v.next {
		if v.item.Kind == k {
			return v.item
		}
	}
	return nil
}

// SetView remembers the item in the form of another kind.
func (i *Item) SetView(o *Item) {
	for {
		old := i.views.Load()
		if i.views.CompareAndSwap(old, &view{o, old}) {
			return
		}
	}
}

// Trimmed returns the object in its own encoding, with the resource version, without metadata.managedFields.
func (i *Item) Trimmed() []byte { return i.own[:i.trimmed:i.trimmed] }

// Field returns the value of a field that selectors may name: metadata.name, metadata.namespace or one of the kind's
// selectable fields. ok is false for any other.
func (i *Item) Field(path string) (value string, ok bool) {
	switch path {
	case "metadata.name":
		return i.Name, true
	case "metadata.namespace":
		return i.Namespace, true
	}
	for n, f := range i.Kind.SelectableFields {
		if f == path {
			p := pathsOf(i.Kind)
			if p.forms[n] == formComputed {
				return i.compute()[path], true
			}
			return i.selectableField(p, n), true
		}
	}
	return "", false
}

// compute asks the schema for the fields that it derives, once.
func (i *Item) compute() map[string]string {
	if f := i.computed.Load(); f != nil {
		return *f
	}
	var fields map[string]string
	if obj, err := i.Decode(); err == nil {
		fields = i.Kind.Fields(obj)
	}
	i.computed.Store(&fields)
	return fields
}

// JSON returns the object in Kubernetes' JSON with apiVersion and kind. The encoding is remembered for as long as
// somebody uses it: an event is encoded once for all its watchers, and a list leaves nothing behind.
func (i *Item) JSON() ([]byte, error) {
	if w := i.json.Load(); w != nil {
		if p := w.Value(); p != nil {
			return *p, nil
		}
	}
	size := i.Size()
	b, err := i.AppendJSON(make([]byte, 0, size+size/2+128))
	if err != nil {
		return nil, err
	}
	w := weak.Make(&b)
	i.json.Store(&w)
	return b, nil
}

// AppendJSON appends what JSON returns, without remembering it.
func (i *Item) AppendJSON(dst []byte) (out []byte, err error) {
	checked := i.checked.Load()
	err = i.read(func(wire []byte) error {
		out, err = i.appendJSON(dst, wire, checked)
		return err
	})
	if err == nil && !checked {
		i.checked.Store(true)
	}
	return out, err
}

// AppendTrimmedJSON is AppendJSON without metadata.managedFields.
func (i *Item) AppendTrimmedJSON(dst []byte) ([]byte, error) {
	return i.appendJSON(dst, i.Trimmed(), i.checked.Load())
}

func (i *Item) appendJSON(dst, wire []byte, checked bool) ([]byte, error) {
	return codec.For(i.Kind.Descriptor).AppendJSON(dst, wire, codec.EncodeOptions{APIVersion: i.Kind.APIVersion(), Kind: i.Kind.Kind, Checked: checked})
}

// Decode returns the object as a message that the caller owns.
func (i *Item) Decode() (proto.Message, error) { return i.decode(i.Unmarshal) }

// DecodeTrimmed is Decode without the managed fields, for readers who only look.
func (i *Item) DecodeTrimmed() (proto.Message, error) {
	return i.decode(func(m proto.Message) error { return wire.UnmarshalImmutable(i.Trimmed(), m) })
}

func (i *Item) decode(unmarshal func(proto.Message) error) (proto.Message, error) {
	m, err := Empty(i.Kind)
	if err != nil {
		return nil, err
	}
	if err := unmarshal(m); err != nil {
		return nil, err
	}
	return m, nil
}

// Empty returns an empty object of a kind; also of a kind that is not in a registry, such as Scale.
func Empty(k *schema.Kind) (proto.Message, error) {
	if k.Plural != "" {
		return k.New(), nil
	}
	t, err := protoregistry.GlobalTypes.FindMessageByName(k.Descriptor.FullName())
	if err != nil {
		return nil, err
	}
	return t.New().Interface(), nil
}
