package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/pipeline/store"
)

// Bounds of how long a read waits until the cache is new enough: for a revision that the client names, which may never
// come, as long as Kubernetes; for the present one as long as a store under load may need.
const (
	namedTimeout   = 3 * time.Second
	presentTimeout = 10 * time.Second
)

// parseVersion reads a resourceVersion; empty and "0" are 0.
func parseVersion(rv string) (int64, error) {
	if rv == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(rv, 10, 63)
	if err != nil {
		return 0, apierrors.NewBadRequest(fmt.Sprintf("invalid resource version: resourceVersion: Invalid value: %q: %v", rv, err))
	}
	return int64(n), nil
}

// fresh waits until the cache has what a read with a resourceVersion may expect: empty, everything acknowledged before
// the call; "0", nothing; else at least that revision.
func (s *Server) fresh(ctx context.Context, rv string) error {
	revision, err := parseVersion(rv)
	if err != nil {
		return err
	}
	timeout := namedTimeout
	if rv == "" {
		timeout = presentTimeout
		ask, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		if revision, err = s.cache.Current(ask); err != nil {
			return storeError(err)
		}
	}
	if revision <= s.cache.Revision() {
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err = s.cache.WaitFor(wait, revision)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return storeError(ctx.Err())
	case rv == "":
		return apierrors.NewTimeout("the cache has not caught up with the store", 1)
	}
	return apierrors.NewTooLargeResourceVersion(revision, s.cache.Revision(), 1)
}

// storeError translates the store's failures.
func storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*apierrors.StatusError)):
		return err
	case errors.Is(err, store.ErrTooLarge):
		return apierrors.NewRequestEntityTooLarge("the object is larger than the store takes")
	case errors.Is(err, context.DeadlineExceeded):
		return apierrors.NewTimeout("request did not complete within the allotted timeout", 1)
	case errors.Is(err, context.Canceled):
		return err
	}
	return apierrors.NewServiceUnavailable("the store is not available: " + err.Error())
}
