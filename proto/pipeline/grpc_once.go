package pipeline

import (
	"google.golang.org/protobuf/proto"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/item"
)

// once is the response that carries one event, encoded for all watchers that want it in the same form.
type once struct {
	item *item.Item
	typ  resourcev1.EventType
	form form
	// response holds the encoded one as fields that are not known: they are copied as they are wherever it is sent.
	response *resourcev1.WatchResponse
}

// form is a shape that can be compared.
type form struct {
	encoding               resourcev1.Encoding
	managedFields, partial bool
}

func (sh shape) form() form {
	return form{sh.encoding, sh.trim.GetManagedFields(), sh.trim.GetMetadataOnly()}
}

// single returns the response with one event. The last one is remembered: where many watch the same, they ask for it in
// turn.
func (d *door) single(sh shape, e *Event) (*resourcev1.WatchResponse, error) {
	form := sh.form()
	if o := d.last.Load(); o != nil && o.item == e.Item && o.typ == e.Type && o.form == form {
		return o.response, nil
	}
	object, err := sh.object(e.Item)
	if err != nil {
		return nil, err
	}
	raw, err := proto.Marshal(&resourcev1.WatchResponse{Events: []*resourcev1.WatchEvent{{Type: e.Type, Object: object}}})
	if err != nil {
		return nil, err
	}
	o := &once{item: e.Item, typ: e.Type, form: form, response: &resourcev1.WatchResponse{}}
	o.response.ProtoReflect().SetUnknown(raw)
	d.last.Store(o)
	return o.response, nil
}
