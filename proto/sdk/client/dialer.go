package client

import (
	"context"
	"net"
	"sync"
	"time"

	"go.uber.org/zap"
)

// quiet is how long a failure that repeats itself is not logged again.
const quiet = 30 * time.Second

// dialer connects, and says so when it cannot: calls only wait, and nobody would know for what.
type dialer struct {
	log *zap.Logger
	net net.Dialer

	mu     sync.Mutex
	failed map[string]time.Time // address -> last logged
}

func newDialer(log *zap.Logger) *dialer {
	return &dialer{log: log, failed: map[string]time.Time{}}
}

func (d *dialer) dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := d.net.DialContext(ctx, "tcp", address)
	if err != nil {
		d.report(address, "cannot connect to the API server", err)
	}
	return conn, err
}

// report logs a failure unless it was logged a moment ago.
func (d *dialer) report(address, message string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if last, ok := d.failed[address]; ok && now.Sub(last) < quiet {
		return
	}
	d.failed[address] = now
	d.log.Warn(message, zap.String("address", address), zap.Error(err))
}

// succeeded says that the address works again.
func (d *dialer) succeeded(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.failed, address)
}
