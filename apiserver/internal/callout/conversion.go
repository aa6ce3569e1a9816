package callout

import (
	"context"
	"time"

	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
)

// conversionTimeout is how long a conversion webhook may take.
const conversionTimeout = 30 * time.Second

// Call posts to the conversion webhook of a definition.
func (c *Client) Call(ctx context.Context, w *apiextensionsv1.WebhookClientConfig, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, conversionTimeout)
	defer cancel()
	e := Endpoint{URL: w.GetUrl(), CABundle: w.GetCaBundle()}
	if s := w.GetService(); s != nil {
		e.Service = &Service{Namespace: s.GetNamespace(), Name: s.GetName(), Path: s.GetPath(), Port: s.GetPort()}
	}
	return c.Post(ctx, e, body)
}
