package webhook

import (
	"cmp"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/apiserver/internal/admission/expr"
	"github.com/keelson/keelson/apiserver/internal/admission/hook"
	"github.com/keelson/keelson/apiserver/internal/callout"
	v1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

const group = "admissionregistration.k8s.io"

// webhook is one webhook, ready to be asked.
type webhook struct {
	configuration, name string
	// index is its place in the configuration.
	index         int
	match         *hook.Match
	conditions    expr.Conditions
	endpoint      callout.Endpoint
	ignore        bool // failures do not count
	reinvoke      bool
	sideEffects   string
	timeout       time.Duration
	reviewVersion string
	// broken is why it cannot be asked, where its configuration was stored all the same.
	broken error
}

// id tells webhooks apart that have the same name.
func (w *webhook) id() string { return fmt.Sprintf("%s/%d/%s", w.configuration, w.index, w.name) }

// common is what both kinds of webhooks say.
type common interface {
	hook.Webhook
	GetName() string
	GetClientConfig() *v1.WebhookClientConfig
	GetFailurePolicy() string
	GetSideEffects() string
	GetTimeoutSeconds() int32
	GetAdmissionReviewVersions() []string
	GetMatchConditions() []*v1.MatchCondition
}

func compile(configuration string, index int, c common) *webhook {
	w := &webhook{
		configuration: configuration, name: c.GetName(), index: index, ignore: c.GetFailurePolicy() == "Ignore", sideEffects: c.GetSideEffects(),
		timeout: time.Duration(cmp.Or(c.GetTimeoutSeconds(), 10)) * time.Second, endpoint: endpoint(c.GetClientConfig()),
	}
	for _, v := range c.GetAdmissionReviewVersions() {
		if v == "v1" || v == "v1beta1" {
			w.reviewVersion = v
			break
		}
	}
	if w.match, w.broken = hook.ForWebhook(c); w.broken != nil {
		return w
	}
	if list := c.GetMatchConditions(); len(list) > 0 {
		var errs []error
		if w.conditions, errs = compileConditions(list); errs != nil {
			for _, err := range errs {
				w.broken = cmp.Or(w.broken, err)
			}
		}
	}
	return w
}

func compileConditions(list []*v1.MatchCondition) (expr.Conditions, []error) {
	c, err := expr.NewCompiler(expr.Options{})
	if err != nil {
		return nil, []error{err}
	}
	return c.CompileConditions(list)
}

func endpoint(c *v1.WebhookClientConfig) callout.Endpoint {
	e := callout.Endpoint{URL: c.GetUrl(), CABundle: c.GetCaBundle()}
	if s := c.GetService(); s != nil {
		e.Service = &callout.Service{Namespace: s.GetNamespace(), Name: s.GetName(), Path: s.GetPath(), Port: s.GetPort()}
	}
	return e
}

// source holds the webhooks of one kind of configurations, compiled anew when a configuration changes.
type source struct {
	resource string
	log      *zap.Logger
	last     atomic.Pointer[state]
}

type state struct {
	items []*item.Item
	// byItem are what unchanged configurations have been compiled to.
	byItem map[*item.Item][]*webhook
	all    []*webhook
}

// current returns the webhooks in the order in which they are asked: by the name of their configuration.
func (s *source) current(access strategy.Access) []*webhook {
	items := access.Items(group, s.resource, "")
	last := s.last.Load()
	if last != nil && slices.Equal(last.items, items) {
		return last.all
	}
	next := &state{items: items, byItem: map[*item.Item][]*webhook{}}
	slices.SortStableFunc(items, func(a, b *item.Item) int { return cmp.Compare(a.Name, b.Name) })
	for _, it := range items {
		var list []*webhook
		if last != nil {
			list = last.byItem[it]
		}
		if list == nil {
			list = s.decode(it)
		}
		next.byItem[it] = list
		next.all = append(next.all, list...)
	}
	s.last.Store(next)
	return next.all
}

func (s *source) decode(it *item.Item) []*webhook {
	list := []*webhook{}
	msg, err := it.Decode()
	if err != nil {
		s.log.Error("configuration cannot be read", zap.String("resource", s.resource), zap.String("name", it.Name), zap.Error(err))
		return list
	}
	for i, c := range webhooksOf(msg) {
		w := compile(it.Name, i, c)
		if m, ok := c.(*v1.MutatingWebhook); ok {
			w.reinvoke = m.GetReinvocationPolicy() == "IfNeeded"
		}
		list = append(list, w)
	}
	return list
}

func webhooksOf(msg proto.Message) []common {
	var out []common
	switch c := msg.(type) {
	case *v1.ValidatingWebhookConfiguration:
		for _, w := range c.Webhooks {
			out = append(out, w)
		}
	case *v1.MutatingWebhookConfiguration:
		for _, w := range c.Webhooks {
			out = append(out, w)
		}
	}
	return out
}

var _ common = (*v1.ValidatingWebhook)(nil)
