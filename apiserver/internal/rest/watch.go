package rest

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/keelson/keelson/apiserver/internal/fairness"
	"github.com/keelson/keelson/apiserver/internal/rest/media"
	"github.com/keelson/keelson/apiserver/internal/rest/request"
	"github.com/keelson/keelson/apiserver/internal/rest/respond"
	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/pipeline"
)

// minWatch is the shortest life of a watch that asks for none; the longest is twice that. The spread keeps clients
// that connected together from coming back together.
const minWatch = 30 * time.Minute

// watch answers with events until the client goes, the time is over or the watch fails.
func (c *call) watch() error {
	want := c.want(true)
	want.Formats = respond.WatchFormats
	if c.kind.Descriptor == nil {
		want.Formats = want.Formats[:1]
	}
	out, err := respond.New(c.w, c.r, want)
	if err != nil {
		return err
	}
	sel := c.selection()
	open, err := request.Watch(c.r, sel)
	if err != nil {
		return err
	}
	if name := c.info.Name; name != "" {
		// The old path /watch/<plural>/<name>.
		sel.FieldSelector = "metadata.name=" + name
	}
	include := respond.IncludeMetadata
	if out.Accept.View == media.Table {
		if include, err = includeObject(c.r); err != nil {
			return err
		}
	}
	timeout := time.Duration(open.GetTimeoutSeconds()) * time.Second
	if timeout <= 0 {
		timeout = minWatch + rand.N(minWatch)
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), timeout)
	defer cancel()
	w, err := c.s.cfg.Pipeline.Watch(ctx, open)
	if err != nil {
		return err
	}
	defer w.Close()
	if !open.GetSendInitialEvents() {
		fairness.Initialized(ctx)
	}
	events := out.Events(c.kind, include)
	defer events.Close()
	for {
		batch, err := w.Next(ctx)
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, io.EOF) && !errors.Is(err, context.Canceled) {
				_ = events.Error(apierrors.FromError(err)) // the client may be gone, which ends the watch as well
			}
			return nil
		}
		if err := events.Write(batch); err != nil {
			return nil //nolint:nilerr // the client is gone
		}
		if slices.ContainsFunc(batch, func(e pipeline.Event) bool { return e.InitialEventsEnd }) {
			fairness.Initialized(ctx)
		}
	}
}
