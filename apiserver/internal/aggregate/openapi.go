package aggregate

import (
	"context"
	"encoding/json"
	"strings"
)

// specs are what a server says about its API in OpenAPI.
type specs struct {
	// v3 is its document of the version, v3URL where clients find it: relative to this server.
	v3URL string
	// v2 is its whole document of OpenAPI 2.
	v2 json.RawMessage
}

// fetchSpecs asks for the OpenAPI documents. Not every server has them.
func (r *remote) fetchSpecs(ctx context.Context) {
	next := &specs{}
	if b, _, err := r.read(ctx, "/openapi/v3", "application/json", maxSpec); err == nil {
		var index struct {
			Paths map[string]struct {
				ServerRelativeURL string `json:"serverRelativeURL"`
			} `json:"paths"`
		}
		if json.Unmarshal(b, &index) == nil {
			next.v3URL = index.Paths[strings.TrimPrefix(r.gv.root(), "/")].ServerRelativeURL
		}
	}
	if b, _, err := r.read(ctx, "/openapi/v2", "application/json", maxSpec); err == nil && json.Valid(b) {
		next.v2 = b
	}
	old := r.specs.Load()
	if old == nil || old.v3URL != next.v3URL || string(old.v2) != string(next.v2) {
		r.specs.Store(next)
		r.a.revision.Add(1)
	}
}
