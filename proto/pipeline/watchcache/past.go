package watchcache

import (
	"context"
	"errors"

	"github.com/keelson/keelson/proto/pipeline/store"
)

// pastAttempts bounds how often the past is looked for again because a compaction was faster.
const pastAttempts = 3

// loadPast reads the state of some changes ago, as far back as the store's history allows. Following the store from
// there fills the recent changes, so that the clients of a server that was started again resume where they were.
func (c *Cache) loadPast(ctx context.Context, now int64) (from int64, err error) {
	for range pastAttempts {
		if from, err = c.oldest(ctx, max(now-startHistory, 1), now); err == nil {
			from, err = c.load(ctx, from)
		}
		if !errors.Is(err, store.ErrCompacted) {
			return from, err
		}
	}
	return c.load(ctx, 0)
}

// oldest finds the earliest revision between two that can still be read: halving takes a dozen reads of one key.
func (c *Cache) oldest(ctx context.Context, from, to int64) (int64, error) {
	readable := func(revision int64) (bool, error) {
		_, err := c.cfg.Store.List(ctx, store.Range{Prefix: Root + "namespaces/default", Revision: revision, Limit: 1})
		if errors.Is(err, store.ErrCompacted) {
			return false, nil
		}
		return err == nil, err
	}
	for low := from; low < to; {
		middle := (low + to) / 2
		if low == from {
			middle = low // mostly nothing of it is compacted
		}
		ok, err := readable(middle)
		switch {
		case err != nil:
			return 0, err
		case ok:
			to = middle
		default:
			low, from = middle+1, -1
		}
	}
	return to, nil
}
