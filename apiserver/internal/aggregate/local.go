package aggregate

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/apiserver/internal/rest/discovery"
	"github.com/keelson/keelson/proto/apierrors"
	apiregistrationv1 "github.com/keelson/keelson/proto/gen/keelson/apiregistration/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
)

// automanaged labels the APIServices that the server makes: "onstart" those of built-in groups, "true" those that come
// and go with CustomResourceDefinitions.
const automanaged = "kube-aggregator.kubernetes.io/automanaged"

const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// keepLocal keeps an APIService for each group version that this server serves itself, until ctx ends.
func (a *Aggregator) keepLocal(ctx context.Context, s *pipeline.Server) {
	if a.views.WaitForSync(ctx) != nil {
		return
	}
	for wait := firstRetry; ; {
		_, changed := a.cfg.Registry.Revision()
		var again <-chan time.Time
		if err := a.local(ctx, s); err != nil && ctx.Err() == nil {
			a.cfg.Logger.Debug("the local APIServices are not as they should be yet", zap.Error(err))
			again = time.After(wait)
			wait = min(2*wait, lastRetry)
		} else {
			wait = firstRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-a.dirty:
		case <-changed:
		case <-again:
		}
	}
}

// local brings the objects to what is served.
func (a *Aggregator) local(ctx context.Context, s *pipeline.Server) error {
	want := map[string]*apiregistrationv1.APIService{}
	for _, k := range a.cfg.Registry.Kinds() {
		gv := groupVersion{k.Group, k.Version}
		if !k.Served || k.Group == group || want[gv.name()] != nil {
			continue
		}
		p := discovery.PriorityOf(k.Group, k.Version)
		kept := "onstart"
		if !a.builtin[gv] {
			kept = "true"
		}
		want[gv.name()] = &apiregistrationv1.APIService{
			Metadata: &metav1.ObjectMeta{Name: gv.name(), Labels: map[string]string{automanaged: kept}},
			Spec: &apiregistrationv1.APIServiceSpec{Group: k.Group, Version: k.Version,
				GroupPriorityMinimum: p.Group, VersionPriority: p.Version},
		}
	}
	a.mu.Lock()
	have := maps.Clone(a.services)
	a.mu.Unlock()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(want)) {
		errs = append(errs, a.ensure(ctx, s, have[name], want[name]))
	}
	for name, o := range have {
		if _, ok := want[name]; !ok && o.GetMetadata().GetLabels()[automanaged] != "" && o.GetSpec().GetService() == nil {
			uid := o.GetMetadata().GetUid()
			_, err := s.Delete(ctx, &resourcev1.DeleteRequest{Ref: ref(name, ""), Options: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{Uid: &uid}}})
			if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
				errs = append(errs, err)
			}
			continue
		}
		if o.GetSpec().GetService() == nil {
			errs = append(errs, a.setCondition(ctx, name, condition("True", "Local", "Local APIServices are always available")))
		}
	}
	return errors.Join(errs...)
}

// ensure creates an object, or brings it back: that of a built-in version never leads to another server.
func (a *Aggregator) ensure(ctx context.Context, s *pipeline.Server, have, want *apiregistrationv1.APIService) error {
	if have == nil {
		raw, err := proto.Marshal(want)
		if err != nil {
			return err
		}
		_, err = s.Create(ctx, &resourcev1.CreateRequest{Ref: ref(want.Metadata.Name, ""),
			Object:  &resourcev1.Object{Raw: raw, Encoding: resourcev1.Encoding_ENCODING_PROTOBUF},
			Options: &resourcev1.WriteOptions{FieldManager: manager}})
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	}
	builtin := want.Metadata.Labels[automanaged] == "onstart"
	taken := have.GetSpec().GetService() != nil
	if taken && !builtin || !taken && (have.GetMetadata().GetLabels()[automanaged] == "" || proto.Equal(have.GetSpec(), want.Spec)) {
		return nil
	}
	o := proto.Clone(have).(*apiregistrationv1.APIService)
	o.Spec = want.Spec
	err := a.update(ctx, o, "")
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
