package leaderelection

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keelson/keelson/proto/sdk/client"
	"go.uber.org/zap"
)

// ErrLost is returned by Run when the lease could not be renewed or was taken.
var ErrLost = errors.New("leader election lost")

// Defaults, those of Kubernetes.
const (
	DefaultNamespace     = "kube-system"
	DefaultLeaseDuration = 15 * time.Second
	DefaultRenewDeadline = 10 * time.Second
	DefaultRetryPeriod   = 2 * time.Second
)

// Config of one process' candidacy.
type Config struct {
	// Conn reaches the API server.
	Conn *client.Conn
	// Namespace and Name of the Lease; the namespace defaults to kube-system.
	Namespace, Name string
	// Identity of this process, unlike that of any other: "<host>_<uuid>".
	Identity string
	// LeaseDuration is how long others leave a lease alone that is not renewed.
	LeaseDuration time.Duration
	// RenewDeadline is how long the leader tries to renew before it gives up.
	RenewDeadline time.Duration
	// RetryPeriod is the time between renewals, and between tries of both.
	RetryPeriod time.Duration
	// OnStarted leads. Its context ends when the lead does; it must return then. If it returns by itself, the lease is
	// released.
	OnStarted func(ctx context.Context)
	// OnStopped, where set, is called after OnStarted has returned.
	OnStopped func()
	// OnNewLeader, where set, is called when somebody else, or this process, becomes the leader.
	OnNewLeader func(identity string)
	// Logger defaults to the connection's.
	Logger *zap.Logger
}

func (c *Config) complete() error {
	if c.Conn == nil || c.Name == "" || c.Identity == "" || c.OnStarted == nil {
		return errors.New("leaderelection: Conn, Name, Identity and OnStarted are required")
	}
	if c.Namespace == "" {
		c.Namespace = DefaultNamespace
	}
	for _, d := range []struct {
		value *time.Duration
		or    time.Duration
	}{{&c.LeaseDuration, DefaultLeaseDuration}, {&c.RenewDeadline, DefaultRenewDeadline}, {&c.RetryPeriod, DefaultRetryPeriod}} {
		if *d.value == 0 {
			*d.value = d.or
		}
	}
	if c.LeaseDuration <= c.RenewDeadline {
		return fmt.Errorf("leaderelection: LeaseDuration (%v) must be greater than RenewDeadline (%v)", c.LeaseDuration, c.RenewDeadline)
	}
	if c.RenewDeadline <= c.RetryPeriod || c.RetryPeriod <= 0 {
		return fmt.Errorf("leaderelection: RenewDeadline (%v) must be greater than RetryPeriod (%v)", c.RenewDeadline, c.RetryPeriod)
	}
	if c.LeaseDuration < time.Second {
		return fmt.Errorf("leaderelection: LeaseDuration (%v) must be at least a second", c.LeaseDuration)
	}
	if c.Logger == nil {
		c.Logger = c.Conn.Logger()
	}
	c.Logger = c.Logger.With(zap.String("lease", c.Namespace+"/"+c.Name), zap.String("identity", c.Identity))
	return nil
}
