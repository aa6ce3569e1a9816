package allocate

import (
	"context"
	"errors"
	"strconv"
	"time"

	"go.uber.org/zap"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/pipeline/store"
)

// youngest is the age below which a claim without Service is left alone: its Service may be about to be stored. No
// request takes as long.
const youngest = 5 * time.Minute

// Repair makes the claims those of the Services that exist: claims of none go, and missing ones are taken.
func (a *Allocator) Repair(ctx context.Context) error {
	// The claims are read before the Services: what is claimed afterwards is not judged.
	ips, err := a.taken(ctx, ipKeys)
	if err != nil {
		return err
	}
	ports, err := a.taken(ctx, portKeys)
	if err != nil {
		return err
	}
	owners := map[string]bool{}
	for _, it := range a.cfg.Access.Items("", "services", "") {
		msg, err := it.Decode()
		if err != nil {
			return err
		}
		svc := msg.(*corev1.Service)
		o := Owner{it.Namespace, it.Name, svc.GetMetadata().GetUid()}
		owners[o.UID] = true
		if ip := svc.GetSpec().GetClusterIP(); ip != "" && ip != "None" {
			if _, ok := ips[ip]; !ok {
				a.adopt(ctx, ipKeys+ip, o)
			}
		}
		have := []int32{svc.GetSpec().GetHealthCheckNodePort()}
		for _, p := range svc.GetSpec().GetPorts() {
			have = append(have, p.GetNodePort())
		}
		for _, n := range have {
			if _, ok := ports[strconv.Itoa(int(n))]; !ok && n != 0 {
				a.adopt(ctx, portKeys+strconv.Itoa(int(n)), o)
			}
		}
	}
	for _, claims := range []map[string]store.KV{ips, ports} {
		for _, kv := range claims {
			c, ok := parse(kv)
			if ok && (owners[c.UID] || time.Since(c.Since) < youngest) {
				continue
			}
			if _, _, err := a.cfg.Store.Delete(ctx, kv.Key, kv.Revision); err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrConflict) {
				return err
			}
			a.cfg.Logger.Info("claim without a Service removed", zap.String("key", kv.Key))
		}
	}
	return nil
}

// RepairOrLog is Repair for those who try again later.
func (a *Allocator) RepairOrLog(ctx context.Context) {
	if err := a.Repair(ctx); err != nil && ctx.Err() == nil {
		a.cfg.Logger.Warn("claims of addresses and ports cannot be repaired now", zap.Error(err))
	}
}

func (a *Allocator) adopt(ctx context.Context, key string, o Owner) {
	if err := a.take(ctx, key, o); err != nil {
		a.cfg.Logger.Warn("Service has what another Service has claimed", zap.String("key", key),
			zap.String("namespace", o.Namespace), zap.String("name", o.Name), zap.Error(err))
	}
}
