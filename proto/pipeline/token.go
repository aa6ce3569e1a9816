package pipeline

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/keelson/keelson/proto/apierrors"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/watchcache"
	"github.com/keelson/keelson/proto/schema"
)

// tokenVersion is what Kubernetes writes into continue tokens.
const tokenVersion = "meta.k8s.io/v1"

// token says where the next page of a list starts, in Kubernetes' form.
type token struct {
	Version string `json:"v"`
	// Revision of the list; -1 goes on at the present one.
	Revision int64 `json:"rv"`
	// Start is the first key of the page, relative to the collection.
	Start string `json:"start"`
}

func (t token) String() string {
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // strings and a number
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseToken(s string) (token, error) {
	var t token
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return t, apierrors.NewBadRequest("invalid continue token: continue key is not valid: " + err.Error())
	}
	if err := json.Unmarshal(b, &t); err != nil {
		return t, apierrors.NewBadRequest("invalid continue token: continue key is not valid: " + err.Error())
	}
	switch {
	case t.Version != tokenVersion:
		return t, apierrors.NewBadRequest("invalid continue token: continue key is not valid: server does not recognize this encoded version " + `"` + t.Version + `"`)
	case t.Revision == 0:
		return t, apierrors.NewBadRequest("invalid continue token: continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
	case t.Start == "":
		return t, apierrors.NewBadRequest("invalid continue token: continue key is not valid: encoded start key empty (version meta.k8s.io/v1)")
	}
	return t, nil
}

// startAfter is the key that follows an object's.
func startAfter(namespace string, it *Item) string {
	if namespace == "" && it.Namespace != "" {
		return it.Namespace + "/" + it.Name + "\x00"
	}
	return it.Name + "\x00"
}

// position is where the token's key lies in the order of objects.
func (t token) position(k *schema.Kind, namespace string) watchcache.Position {
	if !k.Namespaced {
		return watchcache.Position{Name: t.Start}
	}
	if namespace != "" {
		return watchcache.Position{Namespace: namespace, Name: t.Start}
	}
	ns, name, _ := strings.Cut(t.Start, "/")
	return watchcache.Position{Namespace: ns, Name: name}
}

func causes(reason, field, message string) []*metav1.StatusCause {
	return []*metav1.StatusCause{{Reason: reason, Field: field, Message: message}}
}
