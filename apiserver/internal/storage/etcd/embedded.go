package etcd

import (
	"context"
	"fmt"
	"net/url"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// memberURL names the embedded member to itself. Nothing listens there.
const memberURL = "http://127.0.0.1:2380"

// catchUpEntries is how many applied entries of the log stay in memory: etcd takes 0 for its default of 5,000, each of
// which holds a whole object.
const catchUpEntries = 16

// startEmbedded starts a server in the process and returns a client that calls it directly.
func startEmbedded(ctx context.Context, cfg Config) (*embed.Etcd, *clientv3.Client, error) {
	log := quiet(cfg.Logger.Named("etcd"), zapcore.WarnLevel)
	self, err := url.Parse(memberURL)
	if err != nil {
		return nil, nil, err
	}
	e := embed.NewConfig()
	e.Name = "keelson"
	e.Dir = cfg.DataDir
	e.ListenPeerUrls, e.ListenClientUrls, e.ListenClientHttpUrls = nil, nil, nil
	e.AdvertisePeerUrls, e.AdvertiseClientUrls = []url.URL{*self}, []url.URL{*self}
	e.InitialCluster = e.Name + "=" + memberURL
	// A member that is alone elects itself, but not before an election timeout: a short one is the server's start.
	e.TickMs, e.ElectionMs = 50, 300
	e.MaxRequestBytes = maxRequestBytes
	e.QuotaBackendBytes = quotaBytes
	e.AutoCompactionMode, e.AutoCompactionRetention = embed.CompactorModePeriodic, "0" // off: this package compacts
	// Entries of the log are kept in memory for followers that lag; there are none.
	e.SnapshotCatchUpEntries = catchUpEntries
	e.UnsafeNoFsync = cfg.NoSync
	e.ZapLoggerBuilder = embed.NewZapLoggerBuilder(log)
	server, err := embed.StartEtcd(e)
	if err != nil {
		return nil, nil, fmt.Errorf("embedded etcd in %s: %w", cfg.DataDir, err)
	}
	select {
	case <-server.Server.ReadyNotify():
		return server, v3client.New(server.Server), nil
	case err = <-server.Err():
	case <-ctx.Done():
		err = ctx.Err()
	}
	server.Close()
	return nil, nil, fmt.Errorf("embedded etcd in %s: %w", cfg.DataDir, err)
}

// quiet lets a logger through from a level on; one that is quieter already stays as it is.
func quiet(log *zap.Logger, level zapcore.Level) *zap.Logger {
	if !log.Core().Enabled(level) {
		return log
	}
	return log.WithOptions(zap.IncreaseLevel(level))
}
