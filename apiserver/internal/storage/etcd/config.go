package etcd

import (
	"crypto/tls"
	"time"

	"go.uber.org/zap"
)

const (
	// maxRequestBytes bounds one transaction: an object of 3 MiB with its envelope, managed fields and encryption.
	maxRequestBytes = 6 << 20
	// quotaBytes bounds the database; etcd refuses writes beyond it. 8 GiB is the most that its authors suggest.
	quotaBytes = 8 << 30
	// defaultCompactEvery keeps five to ten minutes of history, as Kubernetes does.
	defaultCompactEvery = 5 * time.Minute
	// dialTimeout bounds the first contact with an external member; others are tried then.
	dialTimeout = 5 * time.Second
	// keepAlive is how often an idle connection to an external member is probed, and how long an answer may take: a
	// member that is gone without a word is noticed after both.
	keepAlive        = 10 * time.Second
	keepAliveTimeout = 5 * time.Second
)

// Config says which etcd to use. DataDir or Endpoints is required.
type Config struct {
	// DataDir holds the embedded server's data; used where Endpoints is empty.
	DataDir string
	// Endpoints of an external cluster: https://10.0.0.1:2379.
	Endpoints []string
	// TLS for the endpoints; nil is none.
	TLS *tls.Config
	// CompactEvery is the time between compactions. Default: 5 minutes.
	CompactEvery time.Duration
	// NoSync leaves out the embedded server's fsyncs. For tests: a crash of the machine loses data.
	NoSync bool
	// Logger is required.
	Logger *zap.Logger
}
