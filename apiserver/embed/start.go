package embed

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/keelson/keelson/apiserver/internal/admission/plugins"
	"github.com/keelson/keelson/apiserver/internal/aggregate"
	"github.com/keelson/keelson/apiserver/internal/authn"
	"github.com/keelson/keelson/apiserver/internal/authz"
	"github.com/keelson/keelson/apiserver/internal/callout"
	"github.com/keelson/keelson/apiserver/internal/customresource"
	"github.com/keelson/keelson/apiserver/internal/customresource/definition"
	"github.com/keelson/keelson/apiserver/internal/fairness"
	"github.com/keelson/keelson/apiserver/internal/grpcdoor"
	"github.com/keelson/keelson/apiserver/internal/pki"
	"github.com/keelson/keelson/apiserver/internal/rest"
	"github.com/keelson/keelson/apiserver/internal/rest/h2"
	"github.com/keelson/keelson/apiserver/internal/signing"
	"github.com/keelson/keelson/apiserver/internal/storage"
	"github.com/keelson/keelson/apiserver/internal/storage/etcd"
	"github.com/keelson/keelson/apiserver/internal/tunnel"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/schema"
)

// startTimeout bounds everything between the first step and open doors. An external etcd without a majority is the
// usual reason to hit it.
const startTimeout = 2 * time.Minute

// server is a running API server; its parts are listed in the order in which they are started.
type server struct {
	cfg      Config
	settings settings
	log      *zap.Logger

	authority *pki.Authority
	store     store.Store
	authz     *authz.Authorizer
	authn     *authn.Authenticator
	limiter   *fairness.Limiter
	extension *aggregate.Aggregator
	callout   *callout.Client
	registry  *schema.Registry
	pipeline  *pipeline.Server
	tunnel    *tunnel.Server
	rest      *rest.Server
	http2     *h2.Server
	grpc      *grpcdoor.Door

	restListener, grpcListener net.Listener
}

// Start runs an API server until the context ends or a part of it fails. It returns once everything has stopped; nil
// after a regular stop.
func Start(ctx context.Context, cfg Config) error {
	settings, err := cfg.parse()
	if err != nil {
		return err
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.Registerer == nil {
		cfg.Registerer, cfg.Gatherer = prometheus.DefaultRegisterer, prometheus.DefaultGatherer
	}
	s := &server{cfg: cfg, settings: settings, log: cfg.Logger}
	return s.run(ctx)
}

// run starts the parts in order and stops them in the opposite one. What each needs of the parts before it is why the
// order is as it is.
func (s *server) run(ctx context.Context) (err error) {
	// Ports first: a second server on the same machine fails before it touches anything.
	if err := s.listen(); err != nil {
		return err
	}
	defer s.restListener.Close()
	defer s.grpcListener.Close()
	if err := os.MkdirAll(s.cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := s.openAuthority(); err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := s.openStore(starting); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.store.Close()) }()

	// Background work outlives the context that stops the doors: requests being finished still need it.
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	group, background := errgroup.WithContext(background)
	defer func() {
		stopBackground()
		if werr := group.Wait(); werr != nil && !errors.Is(werr, context.Canceled) {
			err = errors.Join(err, werr)
		}
	}()
	if err := s.startPipeline(starting, background, group); err != nil {
		return err
	}
	defer s.pipeline.Close()
	group.Go(func() error { return s.authority.Run(background) })
	return s.serve(ctx, background)
}

func (s *server) listen() (err error) {
	if s.restListener, err = net.Listen("tcp", s.cfg.RESTAddress); err != nil {
		return fmt.Errorf("--rest-bind-address: %w", err)
	}
	if s.grpcListener, err = net.Listen("tcp", s.cfg.GRPCAddress); err != nil {
		return errors.Join(fmt.Errorf("--grpc-bind-address: %w", err), s.restListener.Close())
	}
	if a, ok := s.restListener.Addr().(*net.TCPAddr); ok {
		s.settings.restPort = uint16(a.Port)
	}
	return nil
}

func (s *server) openAuthority() (err error) {
	s.authority, err = pki.Open(pki.Options{DataDir: s.cfg.DataDir, AdvertiseAddress: s.settings.advertise.String(),
		ExtraNames: s.cfg.TLSNames, ServiceRange: s.settings.services, ClusterDomain: s.cfg.ClusterDomain,
		RESTPort: int(s.settings.restPort), Logger: s.log.Named("pki")})
	if err != nil {
		return fmt.Errorf("keys and certificates: %w", err)
	}
	return nil
}

func (s *server) openStore(ctx context.Context) error {
	cfg := etcd.Config{DataDir: filepath.Join(s.cfg.DataDir, "etcd"), Endpoints: s.cfg.EtcdEndpoints, Logger: s.log.Named("etcd")}
	var err error
	if cfg.TLS, err = s.etcdTLS(); err != nil {
		return err
	}
	key := filepath.Join(s.cfg.DataDir, "pki", "encryption.key")
	if s.store, err = storage.Open(ctx, storage.Config{Etcd: cfg, KeyFile: key}); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	return nil
}

// etcdTLS reads the files of --etcd-ca, --etcd-cert and --etcd-key; nil where there are none. The certificate is read
// again for each connection, for it may be renewed while the server runs.
func (s *server) etcdTLS() (*tls.Config, error) {
	if s.cfg.EtcdCA == "" && s.cfg.EtcdCert == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.cfg.EtcdCA != "" {
		pem, err := os.ReadFile(s.cfg.EtcdCA)
		if err != nil {
			return nil, fmt.Errorf("--etcd-ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--etcd-ca: %s holds no certificate", s.cfg.EtcdCA)
		}
	}
	if s.cfg.EtcdCert != "" {
		load := func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(s.cfg.EtcdCert, s.cfg.EtcdKey)
			return &pair, err
		}
		if _, err := load(); err != nil {
			return nil, fmt.Errorf("--etcd-cert: %w", err)
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	}
	return c, nil
}

// startPipeline fills the caches and waits until the default roles stand: before that nobody but the administrator
// would be let in.
func (s *server) startPipeline(starting, background context.Context, group *errgroup.Group) (err error) {
	s.authz = authz.New(authz.Options{Logger: s.log.Named("authz"), APIAudiences: []string{s.issuer()}})
	s.authn, err = authn.New(authn.Options{Logger: s.log.Named("authn"), ClientCAs: s.authority.ClientCAs(), Issuer: s.issuer(),
		SigningKey: s.authority.ServiceAccountKey(), VerifyingKeys: s.authority.ServiceAccountPublicKeys(),
		Pods: s.authz.Graph(), CatchUpPods: s.authz.CatchUp, RestrictToken: s.authz.Restriction().Token})
	if err != nil {
		return err
	}
	s.limiter = fairness.New(fairness.Options{Seats: s.cfg.MaxRequests, Registerer: s.cfg.Registerer})
	s.tunnel = tunnel.New(tunnel.Config{Logger: s.log.Named("tunnel")})
	s.registry = schema.Builtin().Fork()
	s.pipeline, err = pipeline.New(s.pipelineConfig())
	if err != nil {
		return err
	}
	if err := s.pipeline.Start(starting); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if err := s.cfg.Registerer.Register(cacheMetrics{s.pipeline}); err != nil {
		s.pipeline.Close()
		return fmt.Errorf("metrics: %w", err)
	}
	group.Go(func() error {
		s.authz.Run(background, s.pipeline)
		return nil
	})
	group.Go(func() error {
		s.authn.Run(background, s.pipeline)
		return nil
	})
	s.extension = s.newAggregator(s.registry)
	group.Go(func() error {
		s.extension.Run(background, s.pipeline)
		return nil
	})
	group.Go(func() error {
		fairness.NewController(s.limiter, s.log.Named("fairness")).Run(background, s.pipeline)
		return nil
	})
	if err := errors.Join(s.authz.WaitForSync(starting), s.authn.WaitForSync(starting)); err != nil {
		s.pipeline.Close()
		return fmt.Errorf("authentication and authorization: %w", err)
	}
	signer := signing.New(s.authority.CA, s.log.Named("signing"))
	group.Go(func() error {
		signer.Run(background, s.pipeline)
		return nil
	})
	custom := customresource.New(customresource.Options{Server: s.pipeline, Caller: s.callout, Logger: s.log.Named("customresource")})
	group.Go(func() error {
		custom.Run(background)
		return nil
	})
	if err := custom.WaitForSync(starting); err != nil {
		s.pipeline.Close()
		return fmt.Errorf("custom resources: %w", err)
	}
	return nil
}

func (s *server) pipelineConfig() pipeline.Config {
	return pipeline.Config{
		Registry: s.registry, Store: s.store, Authorizer: s.authz, Admission: s.admission(),
		Handlers: append(s.authz.Handlers(), s.authn.Handlers()...), Logger: s.log.Named("pipeline"), ClusterIPRange: s.settings.services,
		NodePortRange: s.settings.nodePorts, EventTTL: s.cfg.EventTTL,
		BatchGate: grpcdoor.BatchGate(s.limiter),
		Advertise: netip.AddrPortFrom(s.settings.advertise, s.settings.restPort),
	}
}

// admission are the plugins beside those that the pipeline always runs.
func (s *server) admission() []pipeline.Admission {
	s.callout = callout.New("keelson-apiserver-admission")
	return append(append(s.authz.Admission(), definition.New()), plugins.New(plugins.Config{
		Authorizer: s.authz, Client: s.callout, Registerer: s.cfg.Registerer, Logger: s.log.Named("admission"),
	})...)
}

// issuer is who signs service-account tokens, and whom they are for where nobody else is named.
func (s *server) issuer() string { return "https://kubernetes.default.svc." + s.cfg.ClusterDomain }
