package rest

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/keelson/keelson/apiserver/internal/fairness"
	"github.com/keelson/keelson/apiserver/internal/rest/h2"
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
	want.Stream = true
	want.Formats = respond.WatchFormats
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
		if sel.FieldSelector, err = one(name, sel.FieldSelector); err != nil {
			return err
		}
	}
	if rv := open.GetResourceVersion(); (rv == "" || rv == "0") && c.r.URL.Query().Has("sendInitialEvents") && !open.GetSendInitialEvents() {
		open.ResourceVersion = strconv.FormatInt(c.s.cfg.Pipeline.Revision(), 10) // from now on
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
	if apierrors.IsResourceExpired(err) && !websocket.IsWebSocketUpgrade(c.r) {
		// Clients look for it among the events: it can happen to them later as well.
		events := out.Events(c.kind, include)
		defer events.Close()
		return events.Error(apierrors.FromError(err))
	} else if err != nil {
		return err
	}
	defer w.Close()
	if !open.GetSendInitialEvents() {
		fairness.Initialized(ctx)
	}
	if websocket.IsWebSocketUpgrade(c.r) {
		s, err := openSocket(c.w, c.r, out.Accept.Format == media.Protobuf, cancel)
		if err != nil {
			return nil //nolint:nilerr // the upgrade has been answered
		}
		defer s.close()
		out.ResponseWriter = s
	}
	events := out.Events(c.kind, include)
	events.Each = out.ResponseWriter != c.w
	defer events.Close()
	if res, ok := h2.ResponseOf(c.w); ok && events.Direct() {
		// Whoever waits in Next is woken only where the client does not read, or the connection is busy.
		w.Direct(res.Burst(), func(batch []pipeline.Event) (int, bool) { return events.Offer(batch, res) })
		if rec, ok := c.w.(*recorder); ok {
			defer func() { rec.written += events.Offered }()
		}
	}
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

// one is the field selector of a watch of one object, which may have one of its own that agrees.
func one(name, selector string) (string, error) {
	exact := "metadata.name=" + name
	switch selector {
	case "", exact, "metadata.name==" + name:
		return exact, nil
	}
	terms := strings.Split(selector, ",")
	for _, t := range terms {
		if key, value, ok := strings.Cut(t, "="); ok && key == "metadata.name" && strings.TrimPrefix(value, "=") != name {
			return "", apierrors.NewBadRequest("fieldSelector metadata.name doesn't match requested name")
		}
	}
	return exact + "," + selector, nil
}
