package pipeline_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
)

// mirror follows a selection and keeps what it has been told: object name -> revision.
type mirror struct {
	at    map[string]int64
	last  int64
	sel   *resourcev1.Selection
	watch *pipeline.Watch
}

func (m *mirror) apply(events []pipeline.Event) error {
	for _, e := range events {
		// The initial state comes in order of names; afterwards revisions grow.
		if e.Item == nil {
			m.last = max(m.last, e.Revision)
			continue
		}
		_, have := m.at[e.Item.Name]
		switch e.Type {
		case resourcev1.EventType_EVENT_TYPE_ADDED:
			if have {
				return fmt.Errorf("%s added twice", e.Item.Name)
			}
			m.at[e.Item.Name] = e.Item.Revision
		case resourcev1.EventType_EVENT_TYPE_MODIFIED:
			if !have {
				return fmt.Errorf("%s modified without being there", e.Item.Name)
			}
			m.at[e.Item.Name] = e.Item.Revision
		case resourcev1.EventType_EVENT_TYPE_DELETED:
			if !have {
				return fmt.Errorf("%s deleted without being there", e.Item.Name)
			}
			delete(m.at, e.Item.Name)
		}
		m.last = max(m.last, e.Revision)
	}
	return nil
}

// Whoever starts in the middle of changes, by whatever way, ends up with the state that a list shows.
func TestMirrorsAgree(t *testing.T) {
	h := start(t)
	const names, writers, steps, mirrors = 12, 4, 150, 12
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := rand.New(rand.NewPCG(seed, uint64(w)))
			for range steps {
				cm := labelled(fmt.Sprint("c", r.IntN(names)), strconv.Itoa(r.IntN(2)))
				cm.Data = map[string]string{"n": strconv.Itoa(r.Int())}
				at := ref("", "configmaps", "default", cm.Metadata.Name)
				var err error
				switch r.IntN(3) {
				case 0:
					_, err = h.create(at, cm)
				case 1:
					_, err = h.update(at, cm)
				default:
					_, err = h.s.Delete(h.ctx, &resourcev1.DeleteRequest{Ref: at})
				}
				if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsAlreadyExists(err) {
					t.Error(err)
				}
			}
		}()
	}
	all := make([]*mirror, mirrors)
	for i := range all {
		m := &mirror{at: map[string]int64{}, sel: selection("", "configmaps", "default")}
		if i%2 == 1 {
			m.sel.LabelSelector = "l=1"
		}
		o := &resourcev1.WatchOpen{Selection: m.sel}
		if i%3 == 0 {
			list, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: m.sel})
			if err != nil {
				t.Fatal(err)
			}
			for _, it := range list.Items {
				m.at[it.Name] = it.Revision
			}
			o.ResourceVersion = strconv.FormatInt(list.Revision, 10)
		} else {
			o.SendInitialEvents = i%3 == 1
		}
		m.watch = h.watch(o)
		all[i] = m
	}
	wg.Wait()
	for i, m := range all {
		list, err := h.s.List(h.ctx, &resourcev1.ListRequest{Selection: m.sel})
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int64{}
		for _, it := range list.Items {
			want[it.Name] = it.Revision
		}
		for m.last < list.Revision {
			m.watch.Progress()
			events, err := m.watch.Next(h.ctx)
			if err == nil {
				err = m.apply(events)
			}
			if err != nil {
				t.Fatalf("mirror %d: %v", i, err)
			}
		}
		if !maps.Equal(want, m.at) {
			t.Errorf("mirror %d (%s): %s", i, m.sel.LabelSelector, cmp.Diff(want, m.at))
		}
	}
}
