package fairness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	flowcontrolv1 "github.com/keelson/keelson/proto/gen/keelson/flowcontrol/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
)

// autoUpdate is the annotation that says whether an object's spec is kept as the server suggests it: "true" or "false".
const autoUpdate = "apf.kubernetes.io/autoupdate-spec"

// manager is the field manager of what the keeper writes.
const manager = "api-priority-and-fairness-config-producer-v1"

const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// server is what the keeper needs of the pipeline.
type server interface {
	Create(ctx context.Context, r *resourcev1.CreateRequest) (*pipeline.Result, error)
	Update(ctx context.Context, r *resourcev1.UpdateRequest) (*pipeline.Result, error)
}

// keep configures the limiter after every change, and mends the objects.
func (c *Controller) keep(ctx context.Context, s server) {
	if c.views.WaitForSync(ctx) != nil {
		return
	}
	for wait := firstRetry; ; {
		schemas, levels := c.snapshot()
		c.limiter.Configure(schemas, levels)
		var again <-chan time.Time
		if err := c.mend(ctx, s, schemas, levels); err != nil && ctx.Err() == nil {
			c.logger.Debug("the objects of priority and fairness are not as they should be yet", zap.Error(err))
			again = time.After(wait)
			wait = min(2*wait, lastRetry)
		} else {
			wait = firstRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-c.dirty:
		case <-again:
		}
	}
}

func (c *Controller) snapshot() ([]*flowcontrolv1.FlowSchema, []*flowcontrolv1.PriorityLevelConfiguration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.schemas)), slices.Collect(maps.Values(c.levels))
}

// mend creates what is missing, brings back what was altered, and says of each schema whether its level exists.
func (c *Controller) mend(ctx context.Context, s server, schemas []*flowcontrolv1.FlowSchema, levels []*flowcontrolv1.PriorityLevelConfiguration) error {
	var errs []error
	for _, want := range mandatoryLevels() {
		errs = append(errs, ensure(ctx, s, pluralLevel, want, levels, mandatoryLevel))
	}
	for _, want := range suggestedLevels() {
		errs = append(errs, ensure(ctx, s, pluralLevel, want, levels, suggestedLevel))
	}
	for _, want := range mandatorySchemas() {
		errs = append(errs, ensure(ctx, s, pluralSchema, want, schemas, sameSchema))
	}
	for _, want := range suggestedSchemas() {
		errs = append(errs, ensure(ctx, s, pluralSchema, want, schemas, suggestedSchema))
	}
	for _, o := range schemas {
		name := o.GetSpec().GetPriorityLevelConfiguration().GetName()
		found := slices.ContainsFunc(levels, func(l *flowcontrolv1.PriorityLevelConfiguration) bool { return l.GetMetadata().GetName() == name })
		errs = append(errs, c.setDangling(ctx, s, o, !found))
	}
	return errors.Join(errs...)
}

// A same function tells whether an object may stay as it is; where not, it has brought it to what is wanted.
type same[T object] func(have, want T) bool

func sameSchema(have, want *flowcontrolv1.FlowSchema) bool {
	// Defaults that the server filled in do not count as a change.
	if proto.Equal(have.GetSpec(), want.Spec) {
		return true
	}
	have.Spec = want.Spec
	return false
}

func suggestedSchema(have, want *flowcontrolv1.FlowSchema) bool {
	return !automatic(have.GetMetadata()) || sameSchema(have, want)
}

// mandatoryLevel lets the administrator choose the level's shares, as Kubernetes does.
func mandatoryLevel(have, want *flowcontrolv1.PriorityLevelConfiguration) bool {
	if have.GetSpec().GetType() == want.Spec.Type && !automatic(have.GetMetadata()) {
		return true
	}
	return sameLevel(have, want)
}

func suggestedLevel(have, want *flowcontrolv1.PriorityLevelConfiguration) bool {
	return !automatic(have.GetMetadata()) || sameLevel(have, want)
}

func sameLevel(have, want *flowcontrolv1.PriorityLevelConfiguration) bool {
	if proto.Equal(have.GetSpec(), want.Spec) {
		return true
	}
	have.Spec = want.Spec
	return false
}

// automatic tells whether the object's spec is the server's to keep: until somebody says otherwise, or, where nobody has
// said anything, until somebody has changed it.
func automatic(m *metav1.ObjectMeta) bool {
	switch m.GetAnnotations()[autoUpdate] {
	case "true":
		return true
	case "false":
		return false
	}
	return m.GetGeneration() <= 1
}

// ensure creates the wanted object, or updates the one there.
func ensure[T object](ctx context.Context, s server, plural string, want T, have []T, same same[T]) error {
	i := slices.IndexFunc(have, func(o T) bool { return o.GetMetadata().GetName() == want.GetMetadata().GetName() })
	if i < 0 {
		want.GetMetadata().Annotations = map[string]string{autoUpdate: "true"}
		raw, err := proto.Marshal(want)
		if err != nil {
			return err
		}
		_, err = s.Create(ctx, &resourcev1.CreateRequest{Ref: ref(plural, want.GetMetadata().GetName(), ""),
			Object:  &resourcev1.Object{Raw: raw, Encoding: resourcev1.Encoding_ENCODING_PROTOBUF},
			Options: &resourcev1.WriteOptions{FieldManager: manager}})
		if apierrors.IsAlreadyExists(err) {
			return nil // another server was faster; the view will show it
		}
		return err
	}
	o := proto.Clone(have[i]).(T)
	if same(o, want) {
		return nil
	}
	return update(ctx, s, plural, "", o)
}

// update writes an object. A conflict is no failure: somebody else has changed it, which the view will show.
func update(ctx context.Context, s server, plural, subresource string, o object) error {
	raw, err := proto.Marshal(o)
	if err != nil {
		return err
	}
	_, err = s.Update(ctx, &resourcev1.UpdateRequest{Ref: ref(plural, o.GetMetadata().GetName(), subresource),
		Object:  &resourcev1.Object{Raw: raw, Encoding: resourcev1.Encoding_ENCODING_PROTOBUF},
		Options: &resourcev1.WriteOptions{FieldManager: manager}})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func ref(plural, name, subresource string) *resourcev1.ObjectRef {
	return &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Group: group, Version: "v1", Plural: plural}, Name: name, Subresource: subresource}
}

// setDangling says in a schema's status whether its level is missing.
func (c *Controller) setDangling(ctx context.Context, s server, o *flowcontrolv1.FlowSchema, dangling bool) error {
	name := o.GetSpec().GetPriorityLevelConfiguration().GetName()
	want := &flowcontrolv1.FlowSchemaCondition{Type: "Dangling", Status: "False", Reason: "Found",
		Message: fmt.Sprintf("This FlowSchema references the PriorityLevelConfiguration object named %q and it exists", name)}
	if dangling {
		want.Status, want.Reason = "True", "NotFound"
		want.Message = fmt.Sprintf("This FlowSchema references the PriorityLevelConfiguration object named %q but there is no such object", name)
	}
	o = proto.Clone(o).(*flowcontrolv1.FlowSchema)
	if o.Status == nil {
		o.Status = &flowcontrolv1.FlowSchemaStatus{}
	}
	now := time.Now()
	want.LastTransitionTime = &metav1.Time{Seconds: proto.Int64(now.Unix())}
	i := slices.IndexFunc(o.Status.Conditions, func(x *flowcontrolv1.FlowSchemaCondition) bool { return x.GetType() == want.Type })
	if i < 0 {
		o.Status.Conditions = append(o.Status.Conditions, want)
	} else {
		have := o.Status.Conditions[i]
		if have.GetStatus() == want.Status && have.GetReason() == want.Reason && have.GetMessage() == want.Message {
			return nil
		}
		if have.GetStatus() == want.Status {
			want.LastTransitionTime = have.GetLastTransitionTime()
		}
		o.Status.Conditions[i] = want
	}
	return update(ctx, s, pluralSchema, "status", o)
}
