package rest

import (
	"github.com/keelson/keelson/apiserver/internal/rest/respond"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/schema"
)

// emptyCollection tells whether a kind that is not served is known to have no objects. kubectl lists
// CustomResourceDefinitions to word what is wrong with a manifest of an unknown kind, and takes a missing collection for
// a broken server. Nothing else about the kind is answered, and discovery does not name it.
func emptyCollection(k *schema.Kind, verb string) bool {
	return k != nil && !k.Served && k.Group == "apiextensions.k8s.io" && k.Plural == "customresourcedefinitions" && verb == "list"
}

// listNothing answers with an empty list.
func (c *call) listNothing() error {
	if err := c.authorize("list"); err != nil {
		return err
	}
	out, err := respond.New(c.w, c.r, c.want(false))
	if err != nil {
		return err
	}
	return out.List(&pipeline.List{Kind: c.kind, Revision: c.s.cfg.Pipeline.Revision()})
}
