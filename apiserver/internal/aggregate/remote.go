package aggregate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	apidiscoveryv2 "github.com/keelson/keelson/proto/gen/keelson/apidiscovery/v2"
	apiregistrationv1 "github.com/keelson/keelson/proto/gen/keelson/apiregistration/v1"
)

// Bounds on other servers.
const (
	// maxWaiting is how many requests may be with one server; more are refused at once.
	maxWaiting = 400
	// maxIdle is how many unused connections are kept to one.
	maxIdle       = 32
	idleFor       = 90 * time.Second
	handshakeFor  = 10 * time.Second
	headerFor     = time.Minute
	maxHeader     = 1 << 20
	checkEvery    = 30 * time.Second
	firstRecheck  = 250 * time.Millisecond
	discoveryFor  = 5 * time.Second
	maxDiscovery  = 8 << 20
	maxSpec       = 32 << 20
	minBetween    = 100 * time.Millisecond // two looks, however often it is kicked
	serviceSuffix = ".svc"
)

// remote is one version of a group that another server serves.
type remote struct {
	a         *Aggregator
	gv        groupVersion
	object    *apiregistrationv1.APIService
	transport http.RoundTripper
	idle      *http.Transport
	broken    error // why the object's certificates cannot be used

	kicked  chan struct{}
	waiting chan struct{}
	ctx     context.Context
	stop    context.CancelFunc

	available atomic.Bool
	// found is what the server last said it serves; nil before it has.
	found atomic.Pointer[apidiscoveryv2.APIVersionDiscovery]
	specs atomic.Pointer[specs]
}

func newRemote(a *Aggregator, gv groupVersion, o *apiregistrationv1.APIService) *remote {
	r := &remote{a: a, gv: gv, object: o, kicked: make(chan struct{}, 1), waiting: make(chan struct{}, maxWaiting)}
	r.ctx, r.stop = context.WithCancel(a.ctx)
	s := o.GetSpec()
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.GetService().GetName() + "." + s.GetService().GetNamespace() + serviceSuffix,
		InsecureSkipVerify: s.GetInsecureSkipTLSVerify(), //nolint:gosec // the object's wish
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if a.cfg.Certificate != nil {
				if c := a.cfg.Certificate(); c != nil {
					return c, nil
				}
			}
			return &tls.Certificate{}, nil
		}}
	if len(s.GetCaBundle()) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(s.GetCaBundle()) {
			r.broken = errors.New("unable to load root certificates: unable to parse bytes as PEM block")
		}
	}
	r.idle = &http.Transport{
		DialContext:     r.dialContext,
		TLSClientConfig: config, TLSHandshakeTimeout: handshakeFor, ResponseHeaderTimeout: headerFor, MaxResponseHeaderBytes: maxHeader,
		IdleConnTimeout: idleFor, MaxIdleConnsPerHost: maxIdle, DisableCompression: true,
	}
	r.transport = r.idle
	return r
}

// dialContext reaches an endpoint of the Service, whatever the URL says.
func (r *remote) dialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	dial := r.a.dial.Load()
	switch {
	case r.broken != nil:
		return nil, r.broken
	case dial == nil:
		return nil, errors.New("services cannot be reached yet")
	}
	s := r.object.GetSpec().GetService()
	return (*dial)(ctx, s.GetNamespace(), s.GetName(), port(s))
}

func port(s *apiregistrationv1.ServiceReference) int32 {
	if p := s.GetPort(); p != 0 {
		return p
	}
	return 443
}

// host is what the other server is called.
func (r *remote) host() string {
	s := r.object.GetSpec().GetService()
	return net.JoinHostPort(s.GetName()+"."+s.GetNamespace()+serviceSuffix, strconv.Itoa(int(port(s))))
}

// root is the path of the group version.
func (gv groupVersion) root() string {
	if gv.group == "" {
		return "/api/" + gv.version
	}
	return "/apis/" + gv.group + "/" + gv.version
}

// inherit takes over what was known before the object's spec changed, until it is known anew.
func (r *remote) inherit(old *remote) {
	r.available.Store(old.available.Load())
	r.found.Store(old.found.Load())
	r.specs.Store(old.specs.Load())
}

// look asks for a check soon.
func (r *remote) look() {
	select {
	case r.kicked <- struct{}{}:
	default:
	}
}

// document is the version's entry in discovery.
func (r *remote) document() *apidiscoveryv2.APIVersionDiscovery {
	found := r.found.Load()
	if found == nil {
		return &apidiscoveryv2.APIVersionDiscovery{Version: r.gv.version, Freshness: "Stale"}
	}
	if r.available.Load() {
		return found
	}
	stale := proto.Clone(found).(*apidiscoveryv2.APIVersionDiscovery)
	stale.Freshness = "Stale"
	return stale
}

// run checks the server until the remote ends: at once, when it is kicked, and from time to time.
func (r *remote) run() {
	defer r.idle.CloseIdleConnections()
	retry := firstRecheck
	for {
		c := r.check(r.ctx)
		if r.ctx.Err() != nil {
			return
		}
		wait := checkEvery
		if err := r.a.setCondition(r.ctx, r.gv.name(), c); err != nil {
			r.a.cfg.Logger.Debug("the status of an APIService cannot be written", zap.String("name", r.gv.name()), zap.Error(err))
			wait = retry
		}
		ok := c.GetStatus() == "True"
		if was := r.available.Swap(ok); was != ok {
			r.a.cfg.Logger.Info("an extension of the API", zap.String("name", r.gv.name()), zap.Bool("available", ok), zap.String("reason", c.GetReason()))
			r.a.revision.Add(1)
		}
		if ok {
			r.discover(r.ctx)
			retry = firstRecheck
		} else {
			wait = min(wait, retry)
			retry = min(2*retry, checkEvery)
		}
		if !r.rest(wait) {
			return
		}
	}
}

// rest waits for the next check; false where the remote has ended.
func (r *remote) rest(wait time.Duration) bool {
	pause, timer := time.NewTimer(minBetween), time.NewTimer(wait)
	defer pause.Stop()
	defer timer.Stop()
	select {
	case <-pause.C:
	case <-r.ctx.Done():
		return false
	}
	select {
	case <-r.kicked:
	case <-timer.C:
	case <-r.ctx.Done():
		return false
	}
	return true
}
