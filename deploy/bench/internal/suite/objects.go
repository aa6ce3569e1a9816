package suite

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/keelson/keelson/deploy/bench/internal/door"
	"github.com/keelson/keelson/deploy/bench/internal/load"
	"github.com/keelson/keelson/deploy/bench/internal/pods"
)

// creates makes pods one by one, each door's in a namespace of its own.
func (s *Suite) creates(ctx context.Context) error {
	return s.each(ctx, "create pod", func(ctx context.Context, d door.Door) (load.Result, string, error) {
		namespace := "create-" + strings.ToLower(strings.ReplaceAll(d.Name(), " ", "-"))
		if err := s.grpc.CreateNamespace(ctx, namespace); err != nil {
			return load.Result{}, "", err
		}
		create, err := d.Creator(namespace, s.o.Creates)
		if err != nil {
			return load.Result{}, "", err
		}
		begin(ctx)
		defer end(ctx)
		r, err := load.Run(ctx, s.o.Workers, s.o.Creates, s.o.Limit, create)
		return r, "", err
	})
}

// fill makes the pods that the other workloads need, in the fastest way that there is.
func (s *Suite) fill(ctx context.Context) error {
	if err := s.grpc.CreateNamespace(ctx, stored); err != nil {
		return err
	}
	filter := s.o.Only
	s.o.Only = nil // nothing works without these pods
	defer func() { s.o.Only = filter }()
	return s.one(ctx, "create pod", "gRPC batch stream", func(ctx context.Context) (load.Result, string, error) {
		batch, err := s.grpc.Batch(ctx, stored, s.o.Objects)
		if err != nil {
			return load.Result{}, "", err
		}
		begin(ctx)
		defer end(ctx)
		start := time.Now()
		if err := batch(); err != nil {
			return load.Result{}, "", err
		}
		return load.Result{Done: s.o.Objects, Elapsed: time.Since(start)}, "one stream, up to 1,024 writes under way", nil
	})
}

// gets reads different pods.
func (s *Suite) gets(ctx context.Context) error {
	return s.each(ctx, "get pod", func(ctx context.Context, d door.Door) (load.Result, string, error) {
		begin(ctx)
		defer end(ctx)
		r, err := load.Run(ctx, s.o.Workers, s.o.Creates, s.o.Limit, func(ctx context.Context, i int) error {
			h, err := d.Get(ctx, stored, pods.Name(i%s.o.Objects))
			if err == nil && i == 0 {
				s.sizes[d.Name()] = h.Size()
			}
			return err
		})
		return r, "", err
	})
}

// hold reads the first n pods so that they can be updated.
func (s *Suite) hold(ctx context.Context, d door.Door, n int) ([]door.Held, error) {
	held := make([]door.Held, n)
	_, err := load.Run(ctx, s.o.Workers, n, time.Minute, func(ctx context.Context, i int) (err error) {
		held[i], err = d.Get(ctx, stored, pods.Name(i))
		return err
	})
	for i, h := range held {
		if h == nil && err == nil {
			err = fmt.Errorf("pod %s could not be read in time", pods.Name(i))
		}
	}
	return held, err
}

// updates replaces different pods, each with another annotation than before.
func (s *Suite) updates(ctx context.Context) error {
	return s.each(ctx, "update pod", func(ctx context.Context, d door.Door) (load.Result, string, error) {
		held, err := s.hold(ctx, d, min(s.o.Creates, s.o.Objects))
		if err != nil {
			return load.Result{}, "", err
		}
		begin(ctx)
		r, err := load.Run(ctx, s.o.Workers, len(held), s.o.Limit, func(ctx context.Context, i int) error {
			return held[i].Update(ctx, time.Now())
		})
		end(ctx)
		if cpu, err := ctx.Value(meterKey{}).(*meter).each(r.Done); err == nil {
			s.updateCPU[d.Name()] = cpu
		}
		return r, "", err
	})
}

// patches changes an annotation of different pods. REST with protobuf is left out: patches are JSON.
func (s *Suite) patches(ctx context.Context) error {
	for _, d := range []door.Door{s.doors[0], s.grpc} {
		p := d.(door.Patcher)
		err := s.one(ctx, "strategic patch of pod", d.Name(), func(ctx context.Context) (load.Result, string, error) {
			begin(ctx)
			defer end(ctx)
			r, err := load.Run(ctx, s.o.Workers, min(s.o.Creates, s.o.Objects), s.o.Limit, func(ctx context.Context, i int) error {
				return p.Patch(ctx, stored, pods.Name(i), time.Now())
			})
			return r, "", err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// deletes removes all pods of half the collection through REST and of the other half through gRPC.
func (s *Suite) deletes(ctx context.Context) error {
	for i, d := range []door.Door{s.doors[0], s.grpc} {
		err := s.one(ctx, "delete-collection, each pod", d.Name(), func(ctx context.Context) (load.Result, string, error) {
			before, err := s.grpc.List(ctx, stored, pods.Half(i))
			if err != nil {
				return load.Result{}, "", err
			}
			begin(ctx)
			start := time.Now()
			err = d.DeleteCollection(ctx, stored, pods.Half(i))
			r := load.Result{Done: before.Pods, Elapsed: time.Since(start)}
			end(ctx)
			if err != nil {
				return r, "", err
			}
			if left, err := s.grpc.List(ctx, stored, pods.Half(i)); err != nil || left.Pods > 0 {
				return r, "", fmt.Errorf("%d of %d pods are left: %v", left.Pods, before.Pods, err)
			}
			return r, "one request for half of the pods", nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
