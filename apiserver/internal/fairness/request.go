package fairness

import (
	"strings"

	"github.com/keelson/keelson/proto/pipeline/identity"
)

// Request is what a request is judged by.
type Request struct {
	User *identity.User
	// Verb is Kubernetes' request verb, or for paths the HTTP method in lower case.
	Verb string
	// Path is set for requests that are not for resources.
	Path string

	Group, Resource, Subresource, Namespace string
	// Width is how many seats the request wants; less than one counts as one, and no request gets more than a part of
	// its level.
	Width int
}

// isComponent tells whether the user is a part of the cluster itself, which no configuration may shut out.
func isComponent(u *identity.User) bool {
	switch u.Name {
	case "system:kube-scheduler", "system:kube-controller-manager", "system:kube-proxy", "system:apiserver":
		return true
	}
	return strings.HasPrefix(u.Name, identity.NodePrefix) && u.InGroup(identity.GroupNodes)
}
