package allkinds

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"go.uber.org/zap"
)

// follower keeps the cache of one custom kind.
type follower struct {
	kind   *Kind
	retire chan struct{} // closed when the kind is not served any more
}

// adjust begins to follow kinds that are new, and retires those that are gone.
func (s *Set) adjust(ctx context.Context, have map[client.Kind]*follower, running *sync.WaitGroup) {
	wanted := map[client.Kind]bool{}
	for _, d := range s.definitions.List() {
		if k, ok := kindOf(d); ok {
			wanted[k] = true
		}
	}
	for k, f := range have {
		if !wanted[k] {
			s.log.Info("a custom kind is gone", zap.String("kind", k.Kind), zap.String("group", k.Group))
			close(f.retire)
			delete(have, k)
		}
	}
	for k := range wanted {
		if have[k] != nil {
			continue
		}
		f := &follower{kind: newKind(s.conn, k, s.log), retire: make(chan struct{})}
		f.kind.custom, f.kind.begun = true, time.Now()
		s.subscribe(f.kind)
		have[k] = f
		s.log.Info("following a custom kind", zap.String("kind", k.Kind), zap.String("group", k.Group))
		running.Go(func() { f.run(ctx, s.arrivals) })
	}
	custom := make([]*Kind, 0, len(have))
	for _, f := range have {
		custom = append(custom, f.kind)
	}
	slices.SortFunc(custom, func(a, b *Kind) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Kind.Kind, b.Kind.Kind))
	})
	s.show(custom)
}

// run fills the cache until ctx ends or the kind is retired. The last objects of a kind may be reported after its
// definition has gone; their dependents must not be forgotten, so the cache goes on for a moment while it is not empty.
func (f *follower) run(ctx context.Context, arrivals []func(*Kind)) {
	ctx, cancel := context.WithCancel(ctx)
	var cache sync.WaitGroup
	cache.Go(func() { _ = f.kind.Cache.Run(ctx) })
	cache.Go(func() {
		if f.kind.Cache.WaitForSync(ctx) != nil {
			return
		}
		for _, arrived := range arrivals {
			arrived(f.kind)
		}
	})
	defer cache.Wait()
	defer cancel()
	select {
	case <-ctx.Done():
		return
	case <-f.retire:
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for f.kind.Cache.Len() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-limit.C:
			return
		case <-f.kind.emptied:
		}
	}
}

// kindOf returns the kind that a definition adds, in the version that is stored where that is served; false while it is
// not served.
func kindOf(d *apiextensionsv1.CustomResourceDefinition) (client.Kind, bool) {
	established := slices.ContainsFunc(d.GetStatus().GetConditions(), func(c *apiextensionsv1.CustomResourceDefinitionCondition) bool {
		return c.GetType() == "Established" && c.GetStatus() == "True"
	})
	version := ""
	for _, v := range d.GetSpec().GetVersions() {
		if v.GetServed() && (version == "" || v.GetStorage()) {
			version = v.GetName()
		}
	}
	names := d.GetStatus().GetAcceptedNames()
	if names.GetPlural() == "" {
		names = d.GetSpec().GetNames()
	}
	return client.Kind{
		Group: d.GetSpec().GetGroup(), Version: version, Kind: names.GetKind(), Plural: names.GetPlural(),
		Namespaced: d.GetSpec().GetScope() == "Namespaced",
	}, established && version != ""
}
