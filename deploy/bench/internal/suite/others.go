package suite

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/keelson/keelson/deploy/bench/internal/door"
	"github.com/keelson/keelson/deploy/bench/internal/load"
	"github.com/keelson/keelson/deploy/bench/internal/pods"
	"github.com/keelson/keelson/deploy/bench/internal/report"
)

// scratch is the namespace of ConfigMaps and Deployments through a door.
func scratch(d door.Door) string {
	return "other-" + strings.ToLower(strings.ReplaceAll(d.Name(), " ", "-"))
}

// namespaces makes the doors' namespaces for other kinds than pods.
func (s *Suite) namespaces(ctx context.Context) error {
	for _, d := range s.doors {
		if err := s.grpc.CreateNamespace(ctx, scratch(d)); err != nil {
			return err
		}
	}
	return nil
}

// configMap has 1 KiB of data.
func configMap(namespace string, i int, mark string) []byte {
	return fmt.Appendf(nil, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"namespace":%q,"name":"config-%06d"},"data":{"mark":%q,"a":%q,"b":%q}}`,
		namespace, i, mark, strings.Repeat("0123456789abcdef", 32), strings.Repeat("fedcba9876543210", 32))
}

// run makes a workload of single operations.
func (s *Suite) run(ctx context.Context, n int, op func(ctx context.Context, i int) error) (load.Result, string, error) {
	begin(ctx)
	defer end(ctx)
	r, err := load.Run(ctx, s.o.Workers, n, s.o.Limit, op)
	return r, "", err
}

// configMaps creates, reads, replaces and patches ConfigMaps.
func (s *Suite) configMaps(ctx context.Context) error {
	if err := s.namespaces(ctx); err != nil {
		return err
	}
	made := map[string]int{}
	create := func(ctx context.Context, d door.Door, run func(context.Context, int, func(context.Context, int) error) (load.Result, string, error)) (load.Result, string, error) {
		raw := d.(door.Raw)
		bodies := make([][]byte, s.o.Creates)
		for i := range bodies {
			var err error
			if bodies[i], err = raw.Encode(door.ConfigMaps, configMap(scratch(d), i, "new")); err != nil {
				return load.Result{}, "", err
			}
		}
		r, note, err := run(ctx, len(bodies), func(ctx context.Context, i int) error { return raw.Post(ctx, door.ConfigMaps, scratch(d), bodies[i]) })
		made[d.Name()] = r.Done
		return r, note, err
	}
	err := s.each(ctx, "create ConfigMap", func(ctx context.Context, d door.Door) (load.Result, string, error) { return create(ctx, d, s.run) })
	if err != nil {
		return err
	}
	// have makes what the other workloads need, where the creation was not asked for.
	have := func(ctx context.Context, d door.Door) error {
		if made[d.Name()] > 0 {
			return nil
		}
		_, _, err := create(ctx, d, func(ctx context.Context, n int, op func(context.Context, int) error) (load.Result, string, error) {
			r, err := load.Run(ctx, s.o.Workers, n, s.o.Limit, op)
			return r, "", err
		})
		return err
	}
	name := func(d door.Door, i int) string { return fmt.Sprintf("config-%06d", i%max(1, made[d.Name()])) }
	err = s.each(ctx, "get ConfigMap", func(ctx context.Context, d door.Door) (load.Result, string, error) {
		if err := have(ctx, d); err != nil {
			return load.Result{}, "", err
		}
		return s.run(ctx, made[d.Name()], func(ctx context.Context, i int) error {
			_, err := d.(door.Raw).Read(ctx, door.ConfigMaps, scratch(d), name(d, i))
			return err
		})
	})
	if err != nil {
		return err
	}
	err = s.each(ctx, "update ConfigMap", func(ctx context.Context, d door.Door) (load.Result, string, error) {
		if err := have(ctx, d); err != nil {
			return load.Result{}, "", err
		}
		raw := d.(door.Raw)
		bodies := make([][]byte, made[d.Name()])
		for i := range bodies {
			var err error
			if bodies[i], err = raw.Encode(door.ConfigMaps, configMap(scratch(d), i, "replaced")); err != nil {
				return load.Result{}, "", err
			}
		}
		return s.run(ctx, len(bodies), func(ctx context.Context, i int) error {
			return raw.Put(ctx, door.ConfigMaps, scratch(d), name(d, i), bodies[i])
		})
	})
	if err != nil {
		return err
	}
	return s.patchers(ctx, "merge patch of ConfigMap", func(ctx context.Context, d door.Raw) (load.Result, string, error) {
		if err := have(ctx, d); err != nil {
			return load.Result{}, "", err
		}
		return s.run(ctx, made[d.Name()], func(ctx context.Context, i int) error {
			return d.Change(ctx, door.ConfigMaps, scratch(d), name(d, i), "", door.Merge, []byte(`{"data":{"mark":"patched"}}`))
		})
	})
}

// patchers measures a workload of patches, which are JSON: REST with protobuf is left out.
func (s *Suite) patchers(ctx context.Context, workload string, run func(context.Context, door.Raw) (load.Result, string, error)) error {
	for _, d := range []door.Door{s.doors[0], s.grpc} {
		if err := s.one(ctx, workload, d.Name(), func(ctx context.Context) (load.Result, string, error) { return run(ctx, d.(door.Raw)) }); err != nil {
			return err
		}
	}
	return nil
}

// statuses patches the status of pods, as a kubelet does.
func (s *Suite) statuses(ctx context.Context) error {
	return s.patchers(ctx, "status patch of pod", func(ctx context.Context, d door.Raw) (load.Result, string, error) {
		return s.run(ctx, min(s.o.Creates, s.o.Objects), func(ctx context.Context, i int) error {
			patch := fmt.Appendf(nil, `{"status":{"message":%q,"podIP":"10.1.%d.%d","conditions":[{"type":"Ready","status":"True","lastTransitionTime":"2026-01-02T03:04:05Z"}]}}`,
				d.Name()+time.Now().String(), i/250%250, i%250)
			return d.Change(ctx, door.Pods, stored, pods.Name(i), "status", door.Strategic, patch)
		})
	})
}

// applies makes Deployments by server-side apply, changes them, and applies the same once more.
func (s *Suite) applies(ctx context.Context) error {
	n := max(1, s.o.Creates/2)
	for _, step := range []struct {
		name string
		// image tells what is applied: the same as before, or not.
		image string
	}{{"create", "1"}, {"change", "2"}, {"no-op", "2"}} {
		err := s.patchers(ctx, "apply of Deployment: "+step.name, func(ctx context.Context, d door.Raw) (load.Result, string, error) {
			return s.run(ctx, n, func(ctx context.Context, i int) error {
				name := fmt.Sprintf("app-%06d", i)
				return d.Change(ctx, door.Deployments, scratch(d), name, "", door.Apply, pods.Deployment(scratch(d), name, step.image))
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// forms reads all pods in pages, as a table, and without their specification.
func (s *Suite) forms(ctx context.Context) error {
	for _, w := range []struct {
		name  string
		form  door.Form
		doors []door.Door
	}{
		{"in pages of 500", door.Paged, []door.Door{s.doors[0], s.grpc}},
		{"as Table", door.AsTable, s.doors[:1]},
		{"metadata only", door.MetadataOnly, s.doors},
	} {
		for _, d := range w.doors {
			err := s.one(ctx, fmt.Sprintf("list %s pods %s", report.Thousands(s.o.Objects), w.name), d.Name(), func(ctx context.Context) (load.Result, string, error) {
				var size int64
				begin(ctx)
				defer end(ctx)
				r, err := load.Run(ctx, 1, s.o.Lists, s.o.Limit, func(ctx context.Context, _ int) error {
					l, err := d.(door.Former).ListAs(ctx, stored, w.form)
					if err == nil && l.Pods != s.o.Objects {
						err = fmt.Errorf("the list has %d pods, not %d", l.Pods, s.o.Objects)
					}
					size = l.Bytes
					return err
				})
				return r, fmt.Sprintf("%.1f MB", float64(size)/1e6), err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
