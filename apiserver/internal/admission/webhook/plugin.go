package webhook

import (
	"context"

	"go.uber.org/zap"

	"github.com/keelson/keelson/apiserver/internal/admission/hook"
	"github.com/keelson/keelson/apiserver/internal/callout"
	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/admission"
)

// Config is what the plugins need.
type Config struct {
	// Client reaches the webhooks.
	Client *callout.Client
	// Authorizer answers match conditions; nil allows everything.
	Authorizer pipeline.Authorizer
	// Metrics counts calls; may be nil.
	Metrics *Metrics
	Logger  *zap.Logger
}

// base is what both plugins have in common.
type base struct {
	source     source
	mutating   bool
	client     *callout.Client
	authorizer pipeline.Authorizer
	metrics    *Metrics
	log        *zap.Logger
	host       hook.Host
}

func newBase(c Config, resource string, mutating bool) base {
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	return base{source: source{resource: resource, log: c.Logger}, mutating: mutating, client: c.Client, authorizer: c.Authorizer, metrics: c.Metrics, log: c.Logger}
}

// Attach implements pipeline.Attacher.
func (b *base) Attach(s *pipeline.Server) { b.host = s }

func (b *base) kind() string {
	if b.mutating {
		return "admit"
	}
	return "validating"
}

// webhooks returns those that may be for a request.
func (b *base) webhooks(r *admission.Request) []*webhook {
	if b.host == nil || hook.Exempt(r) {
		return nil
	}
	return b.source.current(b.host.Access())
}

// failed decides what becomes of a question without an answer: nil where the failure does not count.
func (b *base) failed(ctx context.Context, r *admission.Request, q *question, err error) error {
	if !q.ignore {
		b.log.Warn("webhook failed, request refused", zap.String("webhook", q.name), zap.Error(err))
		return apierrors.NewInternal(err)
	}
	b.log.Warn("webhook failed, request goes on", zap.String("webhook", q.name), zap.Error(err))
	if r.Annotate != nil {
		r.Annotate("failed-open."+b.annotations(), q.name)
	}
	if ctx.Err() != nil {
		return apierrors.NewTimeout("request did not complete within requested timeout", 0)
	}
	return nil
}

func (b *base) annotations() string {
	if b.mutating {
		return "mutation.webhook.admission.k8s.io"
	}
	return "validating.webhook.admission.k8s.io"
}
