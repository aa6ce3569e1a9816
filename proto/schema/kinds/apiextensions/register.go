// Package apiextensions holds the logic of the apiextensions.k8s.io group's kinds that no option can say. What makes a
// definition valid is the API server's to say: it compiles what the definition holds.
package apiextensions

import (
	"strings"

	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// webhookPort is where webhooks behind a Service listen.
const webhookPort = 443

// Register adds the group's hooks to a set.
func Register(s *rule.Set) {
	rule.AddKind(s, rule.TypedKind[*apiextensionsv1.CustomResourceDefinition]{Default: defaults})
}

func defaults(crd *apiextensionsv1.CustomResourceDefinition) {
	spec := crd.GetSpec()
	if spec == nil {
		return
	}
	if n := spec.GetNames(); n != nil && n.GetKind() != "" {
		if n.Singular == "" {
			n.Singular = strings.ToLower(n.Kind)
		}
		if n.ListKind == "" {
			n.ListKind = n.Kind + "List"
		}
	}
	if spec.Conversion == nil {
		spec.Conversion = &apiextensionsv1.CustomResourceConversion{Strategy: "None"}
	}
	if service := spec.GetConversion().GetWebhook().GetClientConfig().GetService(); service != nil && service.Port == nil {
		port := int32(webhookPort)
		service.Port = &port
	}
}
