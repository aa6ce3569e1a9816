package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/pipeline/watchcache"
	"github.com/keelson/keelson/proto/schema"
)

// dynamic are the collections of custom kinds, by storage path.
type dynamic struct {
	mu          sync.Mutex
	collections map[string]*watchcache.Collection
	kinds       map[string][]*schema.Kind
}

// find looks a kind up with what serves it.
func (s *Server) find(group, version, plural string) (*schema.Kind, *resource) {
	for {
		k, ok := s.cfg.Registry.ByResource(group, version, plural)
		if !ok {
			return nil, nil
		}
		if res := s.resources[k]; res != nil {
			return k, res
		}
		if res, ok := s.custom.Load(k); ok {
			return k, res.(*resource)
		}
		// Another kind has just taken its place.
		if now, _ := s.cfg.Registry.ByResource(group, version, plural); now == k {
			return nil, nil
		}
	}
}

// Registry returns the kinds that the server serves.
func (s *Server) Registry() *schema.Registry { return s.cfg.Registry }

// SetCustom makes the custom kinds these, all versions of each that objects may be stored in, served or not. It returns
// once their state is loaded and requests for them succeed. Kinds that are the same pointer as before stay untouched;
// where a kind's behaviour or storage version is another, its state is loaded anew and its watches end. Watches of kinds
// that are gone end, too. On an error nothing has changed but that some state may have been loaded again.
func (s *Server) SetCustom(ctx context.Context, kinds []*schema.Kind) error {
	d := &s.dynamic
	d.mu.Lock()
	defer d.mu.Unlock()
	next := map[string][]*schema.Kind{}
	for _, k := range kinds {
		next[k.StoragePath] = append(next[k.StoragePath], k)
	}
	if d.collections == nil {
		d.collections = map[string]*watchcache.Collection{}
	}
	for path, list := range next {
		if err := s.load(ctx, path, list); err != nil {
			return fmt.Errorf("custom kind %s: %w", list[0].GroupResource(), err)
		}
	}
	for _, list := range next {
		storage := storageOf(list)
		for _, k := range list {
			if _, ok := s.custom.Load(k); !ok {
				s.custom.Store(k, &resource{kind: k, storage: storage, objects: d.collections[k.StoragePath]})
			}
		}
	}
	s.cfg.Registry.SetCustom(kinds)
	s.custom.Range(func(k, _ any) bool {
		if kind := k.(*schema.Kind); !slices.Contains(next[kind.StoragePath], kind) {
			s.custom.Delete(k)
		}
		return true
	})
	for path, col := range d.collections {
		if next[path] == nil {
			delete(d.collections, path)
			s.cache.Remove(col)
		}
	}
	d.kinds = next
	return nil
}

// load brings the collection of a storage path in step with the kinds that it is to hold.
func (s *Server) load(ctx context.Context, path string, list []*schema.Kind) error {
	d := &s.dynamic
	old := d.kinds[path]
	if slices.Equal(old, list) {
		return nil
	}
	v := watchcache.Versions{Storage: storageOf(list)}
	for _, k := range list {
		if k != v.Storage {
			v.Others = append(v.Others, k)
		}
	}
	col := d.collections[path]
	switch {
	case col == nil:
		var err error
		d.collections[path], err = s.cache.Add(ctx, v)
		return err
	case sameForm(old, list):
		col.Rename(v)
		return nil
	}
	return col.Reload(ctx, v)
}

// storageOf returns the version in which objects are written.
func storageOf(list []*schema.Kind) *schema.Kind {
	for _, k := range list {
		if k.APIVersion() == k.StorageVersion {
			return k
		}
	}
	return list[0]
}

// sameForm tells whether objects look the same to two sets of versions of a kind.
func sameForm(a, b []*schema.Kind) bool {
	return slices.EqualFunc(a, b, func(x, y *schema.Kind) bool {
		return x.Version == y.Version && x.Custom == y.Custom && x.StorageVersion == y.StorageVersion && x.Kind == y.Kind &&
			x.Converter == y.Converter && x.Namespaced == y.Namespaced && slices.Equal(x.SelectableFields, y.SelectableFields)
	})
}

// terminating refuses the creation of objects whose kind is about to vanish.
func (r *request) terminating(name string) error {
	k := r.res.kind
	if !k.Terminating {
		return nil
	}
	return apierrors.NewForbidden(k.Group, k.Plural, name, errors.New("create not allowed while custom resource definition is terminating"))
}
