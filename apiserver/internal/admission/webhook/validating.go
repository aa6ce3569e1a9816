package webhook

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/keelson/keelson/apiserver/internal/admission/hook"
	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/pipeline/admission"
)

// Validating asks validating webhooks.
type Validating struct{ base }

// NewValidating returns the plugin.
func NewValidating(c Config) *Validating {
	return &Validating{newBase(c, "validatingwebhookconfigurations", false)}
}

// Name implements admission.Plugin.
func (*Validating) Name() string { return "ValidatingAdmissionWebhook" }

// Admit implements admission.Plugin; it changes nothing.
func (*Validating) Admit(context.Context, *admission.Request) error { return nil }

// errDenied stands for a refusal where only that there was one counts.
var errDenied = errors.New("denied")

// asked is one question and what came of it.
type asked struct {
	*question
	request map[string]any
	answer  *answer
	err     error
}

// Validate implements admission.Validator. All webhooks are asked at the same time; the first refusal, in the order of
// the configurations, is the answer.
func (p *Validating) Validate(ctx context.Context, r *admission.Request) error {
	all := p.webhooks(r)
	if len(all) == 0 {
		return nil
	}
	s := hook.New(r, p.host)
	var questions []*asked
	for _, w := range all {
		q, err := p.wants(ctx, s, w)
		if err != nil {
			return err
		}
		if q == nil {
			continue
		}
		request, err := q.request(ctx, s)
		if err != nil {
			return err
		}
		questions = append(questions, &asked{question: q, request: request})
	}
	if len(questions) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return apierrors.NewTimeout("request did not complete within requested timeout", 0)
	}
	var wg sync.WaitGroup
	for _, q := range questions {
		wg.Go(func() {
			start := time.Now()
			q.answer, q.err = p.ask(ctx, q.question, r.DryRun, q.request)
			verdict := q.err
			if verdict == nil && !q.answer.Allowed {
				verdict = errDenied
			}
			p.observe(q.question, r, start, verdict)
		})
	}
	wg.Wait()
	var first error
	for _, q := range questions {
		err := q.err
		switch {
		case err == nil:
			err = heed(r, q.question, q.answer)
		case isCallError(err):
			err = p.failed(ctx, r, q.question, err)
		}
		if first == nil {
			first = err
		}
	}
	return first
}
