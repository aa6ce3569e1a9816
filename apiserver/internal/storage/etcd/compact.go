package etcd

import (
	"context"
	"errors"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/keelson/keelson/proto/pipeline/store"
)

// compactKey is where API servers, Kubernetes' too, agree on who compacts: its version counts the compactions.
const compactKey = "compact_rev_key"

// compactions forgets history every CompactEvery: always up to where the store was one interval before, so that
// readers have at least one interval of it. Of several API servers one does it.
func (s *Store) compactions() {
	tick := time.NewTicker(s.cfg.CompactEvery)
	defer tick.Stop()
	var version, revision int64
	for {
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return
		}
		var err error
		version, revision, err = s.compactOnce(s.ctx, version, revision)
		if err != nil && s.ctx.Err() == nil {
			s.log.Warn("history cannot be compacted", zap.Error(err))
		}
	}
}

// compactOnce compacts up to a revision if nobody has done so since the version of the key that was seen last. It
// returns what the next call needs: the key's version, and the revision of now.
func (s *Store) compactOnce(ctx context.Context, version, revision int64) (nextVersion, now int64, err error) {
	resp, err := s.client.Txn(ctx).
		If(clientv3.Compare(clientv3.Version(compactKey), "=", version)).
		Then(clientv3.OpPut(compactKey, strconv.FormatInt(revision, 10))).
		Else(clientv3.OpGet(compactKey)).Commit()
	if err != nil {
		return version, revision, err
	}
	now = resp.Header.Revision
	if !resp.Succeeded {
		if kvs := resp.Responses[0].GetResponseRange().Kvs; len(kvs) > 0 {
			version = kvs[0].Version
		}
		return version, now, nil
	}
	if revision > 0 {
		if err := s.Compact(ctx, revision); err != nil && !errors.Is(err, store.ErrCompacted) {
			return version + 1, now, err
		}
		s.log.Debug("history compacted", zap.Int64("revision", revision))
	}
	return version + 1, now, nil
}
