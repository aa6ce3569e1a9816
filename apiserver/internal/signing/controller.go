package signing

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	certificatesv1 "github.com/keelson/keelson/proto/gen/keelson/certificates/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"

	"github.com/keelson/keelson/apiserver/internal/authz/feed"
	"github.com/keelson/keelson/apiserver/internal/pki"
)

const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 30 * time.Second
)

var requests = &resourcev1.Resource{Group: "certificates.k8s.io", Version: "v1", Plural: "certificatesigningrequests"}

// Controller signs approved requests for as long as it runs.
type Controller struct {
	ca     *pki.CA
	logger *zap.Logger

	mu sync.Mutex
	// due are requests that wait for their certificate, as they were last seen.
	due  map[string]*certificatesv1.CertificateSigningRequest
	wake chan struct{} // holds one token while due is not empty
}

// New makes a controller that does not run yet.
func New(ca *pki.CA, logger *zap.Logger) *Controller {
	return &Controller{ca: ca, logger: logger, due: map[string]*certificatesv1.CertificateSigningRequest{}, wake: make(chan struct{}, 1)}
}

// Run works until ctx ends.
func (c *Controller) Run(ctx context.Context, s *pipeline.Server) {
	var working sync.WaitGroup
	defer working.Wait()
	working.Go(func() { c.work(feed.Context(ctx), s) })
	feed.NewSet(c.logger, feed.View{Resource: requests, Set: c.set, Delete: func(_, name string) { c.drop(name) }}).Run(ctx, feed.From(s))
}

// set takes a request as it is now.
func (c *Controller) set(it *pipeline.Item) error {
	r := &certificatesv1.CertificateSigningRequest{}
	if err := it.Unmarshal(r); err != nil {
		return err
	}
	if !waits(r) {
		c.drop(r.GetMetadata().GetName())
		return nil
	}
	c.mu.Lock()
	c.due[r.GetMetadata().GetName()] = r
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return nil
}

func (c *Controller) drop(name string) {
	c.mu.Lock()
	delete(c.due, name)
	c.mu.Unlock()
}

// waits reports whether a request is approved, for one of our signers, and has neither certificate nor refusal.
func waits(r *certificatesv1.CertificateSigningRequest) bool {
	if signers[r.GetSpec().GetSignerName()] == nil || len(r.GetStatus().GetCertificate()) > 0 {
		return false
	}
	approved := false
	for _, cond := range r.GetStatus().GetConditions() {
		switch cond.GetType() {
		case "Approved":
			approved = true
		case "Denied", "Failed":
			return false
		}
	}
	return approved
}

// take returns what is due.
func (c *Controller) take() []*certificatesv1.CertificateSigningRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]*certificatesv1.CertificateSigningRequest, 0, len(c.due))
	for _, r := range c.due {
		out = append(out, r)
	}
	return out
}

func (c *Controller) work(ctx context.Context, s *pipeline.Server) {
	wait := firstRetry
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
		failed := false
		for _, r := range c.take() {
			if err := c.sign(ctx, s, r); err != nil {
				failed = true
				c.logger.Warn("a certificate could not be issued, trying again", zap.String("request", r.GetMetadata().GetName()), zap.Error(err))
				continue
			}
			c.done(r)
		}
		if !failed {
			wait = firstRetry
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		wait = min(2*wait, lastRetry)
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// done forgets a request unless it has changed meanwhile.
func (c *Controller) done(r *certificatesv1.CertificateSigningRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if name := r.GetMetadata().GetName(); c.due[name] == r {
		delete(c.due, name)
	}
}

// sign writes a request's certificate, or why there is none. A request that changed meanwhile comes again.
func (c *Controller) sign(ctx context.Context, s *pipeline.Server, r *certificatesv1.CertificateSigningRequest) error {
	changed := proto.CloneOf(r)
	cert, err := issue(c.ca, r)
	var refused errRefused
	switch {
	case errors.As(err, &refused):
		changed.Status.Conditions = append(changed.Status.Conditions, &certificatesv1.CertificateSigningRequestCondition{
			Type: "Failed", Status: "True", Reason: "SignerValidationFailure", Message: refused.Error(),
		})
	case err != nil:
		return err
	default:
		changed.Status.Certificate = cert
	}
	raw, err := proto.Marshal(changed)
	if err != nil {
		return err
	}
	_, err = s.Update(ctx, &resourcev1.UpdateRequest{
		Ref:     &resourcev1.ObjectRef{Resource: requests, Name: r.GetMetadata().GetName(), Subresource: "status"},
		Object:  &resourcev1.Object{Raw: raw, Encoding: resourcev1.Encoding_ENCODING_PROTOBUF},
		Options: &resourcev1.WriteOptions{FieldManager: "certificate-signer"},
	})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
