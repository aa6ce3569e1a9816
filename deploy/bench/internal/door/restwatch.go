package door

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/keelson/keelson/deploy/bench/internal/pods"
)

// restConnection is an HTTP/2 connection; of HTTP/1.1 there is one for each watch.
type restConnection struct {
	door   *REST
	client *http.Client
}

// Connect implements Door.
func (d *REST) Connect(ctx context.Context) (Connection, error) {
	c := &restConnection{door: d, client: d.client()}
	// Watches that are opened at the same time would each begin a connection. So there is one before.
	resp, err := d.open(ctx, c.client, http.MethodGet, d.base+"/version", "application/json", "", nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return c, err
}

// Close implements Connection.
func (c *restConnection) Close() { c.client.CloseIdleConnections() }

// Watcher implements Connection.
func (c *restConnection) Watcher(namespace string, after int64) Watcher {
	return &restWatch{c, c.door.url(namespace, "", "") + "?watch=true&resourceVersion=" + strconv.FormatInt(after, 10)}
}

type restWatch struct {
	*restConnection
	url string
}

// Run implements Watcher.
func (w *restWatch) Run(ctx context.Context, opened func(), event func(time.Time)) error {
	resp, err := w.door.open(ctx, w.client, http.MethodGet, w.url, w.door.enc.watchType, "", nil)
	if err != nil {
		return unlessEnded(ctx, err)
	}
	defer resp.Body.Close()
	opened()
	r := bufio.NewReaderSize(resp.Body, 64<<10)
	var buf []byte
	for {
		frame, err := w.door.enc.frame(r, &buf)
		if err == io.EOF {
			return unlessEnded(ctx, fmt.Errorf("the server ended the watch: %w", err))
		}
		if err != nil {
			return unlessEnded(ctx, err)
		}
		mark, ok := pods.Sent(frame)
		if !ok {
			return fmt.Errorf("an event without a mark: %.200q", frame)
		}
		event(mark)
	}
}

// unlessEnded is nil where the context's end explains the error.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
