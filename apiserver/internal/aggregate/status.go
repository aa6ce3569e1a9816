package aggregate

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	apiregistrationv1 "github.com/keelson/keelson/proto/gen/keelson/apiregistration/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// manager is the field manager of what the aggregator writes.
const manager = "keelson-aggregator"

func ref(name, subresource string) *resourcev1.ObjectRef {
	return &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Group: group, Version: "v1", Plural: "apiservices"}, Name: name, Subresource: subresource}
}

// setCondition writes an object's condition where it says something new.
func (a *Aggregator) setCondition(ctx context.Context, name string, c *apiregistrationv1.APIServiceCondition) error {
	a.mu.Lock()
	have := a.services[name]
	a.mu.Unlock()
	if have == nil {
		return nil
	}
	o := proto.Clone(have).(*apiregistrationv1.APIService)
	if o.Status == nil {
		o.Status = &apiregistrationv1.APIServiceStatus{}
	}
	c = proto.Clone(c).(*apiregistrationv1.APIServiceCondition)
	c.LastTransitionTime = &metav1.Time{Seconds: proto.Int64(time.Now().Unix())}
	i := slices.IndexFunc(o.Status.Conditions, func(x *apiregistrationv1.APIServiceCondition) bool { return x.GetType() == c.Type })
	if i < 0 {
		o.Status.Conditions = append(o.Status.Conditions, c)
	} else {
		old := o.Status.Conditions[i]
		if old.GetStatus() == c.Status {
			c.LastTransitionTime = old.GetLastTransitionTime()
		}
		if proto.Equal(old, c) {
			return nil
		}
		o.Status.Conditions[i] = c
	}
	err := a.update(ctx, o, "status")
	if apierrors.IsNotFound(err) {
		return nil // it has gone meanwhile
	}
	return err
}

func (a *Aggregator) update(ctx context.Context, o *apiregistrationv1.APIService, subresource string) error {
	raw, err := proto.Marshal(o)
	if err != nil {
		return err
	}
	_, err = a.server.Update(ctx, &resourcev1.UpdateRequest{Ref: ref(o.GetMetadata().GetName(), subresource),
		Object:  &resourcev1.Object{Raw: raw, Encoding: resourcev1.Encoding_ENCODING_PROTOBUF},
		Options: &resourcev1.WriteOptions{FieldManager: manager}})
	return err
}
