// Package plugins gathers the admission plugins that only the API server has, beside those that the pipeline always
// runs.
package plugins

import (
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/keelson/keelson/apiserver/internal/admission/podsecurity"
	"github.com/keelson/keelson/apiserver/internal/admission/policy"
	"github.com/keelson/keelson/apiserver/internal/admission/webhook"
	"github.com/keelson/keelson/apiserver/internal/callout"
	"github.com/keelson/keelson/proto/pipeline"
)

// Config is what the plugins need.
type Config struct {
	Authorizer pipeline.Authorizer
	// Client reaches webhooks.
	Client     *callout.Client
	Registerer prometheus.Registerer
	Logger     *zap.Logger
}

// New returns the plugins; the pipeline brings them into Kubernetes' order.
func New(c Config) []pipeline.Admission {
	policies := policy.Config{Authorizer: c.Authorizer, Logger: c.Logger}
	webhooks := webhook.Config{Client: c.Client, Authorizer: c.Authorizer, Logger: c.Logger, Metrics: webhook.NewMetrics(c.Registerer)}
	return []pipeline.Admission{
		&podsecurity.Plugin{},
		&policy.Expressions{},
		policy.NewMutating(policies),
		webhook.NewMutating(webhooks),
		policy.NewValidating(policies),
		webhook.NewValidating(webhooks),
	}
}
