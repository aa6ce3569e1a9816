package expr

import (
	"sync"

	celgo "github.com/google/cel-go/cel"

	"github.com/keelson/keelson/apiserver/internal/cel"
	"github.com/keelson/keelson/apiserver/internal/cel/library"
)

var (
	text    = &cel.Schema{Type: "string"}
	boolean = &cel.Schema{Type: "boolean"}
	integer = &cel.Schema{Type: "integer"}
	moment  = &cel.Schema{Type: "string", Format: "date-time"}
	texts   = &cel.Schema{Type: "array", Items: text}
	pairs   = &cel.Schema{Type: "object", Additional: text}
	dynamic = &cel.Schema{Dynamic: true}
)

type fields = map[string]*cel.Schema

func object(f fields) *cel.Schema { return &cel.Schema{Type: "object", Properties: f} }

// requestType is what expressions see of a request: Kubernetes' AdmissionRequest without the objects.
var requestType = func() *cel.Schema {
	kind := object(fields{"group": text, "version": text, "kind": text})
	resource := object(fields{"group": text, "version": text, "resource": text})
	return object(fields{
		"kind": kind, "resource": resource, "subResource": text,
		"requestKind": kind, "requestResource": resource, "requestSubResource": text,
		"name": text, "namespace": text, "operation": text, "dryRun": boolean, "options": dynamic,
		"userInfo": object(fields{"username": text, "uid": text, "groups": texts, "extra": {Type: "object", Additional: texts}}),
	})
}()

// namespaceType is what expressions see of the namespace.
var namespaceType = object(fields{
	"metadata": object(fields{
		"name": text, "generateName": text, "namespace": text, "labels": pairs, "annotations": pairs, "uid": text, "UID": text,
		"creationTimestamp": moment, "deletionGracePeriodSeconds": integer, "deletionTimestamp": moment, "generation": integer,
		"resourceVersion": text, "finalizers": texts,
	}),
	"spec": object(fields{"finalizers": texts}),
	"status": object(fields{"phase": text, "conditions": {Type: "array", Items: object(fields{
		"status": text, "type": text, "lastTransitionTime": moment, "message": text, "reason": text,
	})}}),
})

// key is what distinguishes the environments that policies start from.
type key struct {
	params, authorizer, patches bool
	// noObject leaves object and oldObject for somebody else to declare.
	noObject bool
}

var (
	basesMu sync.Mutex
	bases   = map[key]*cel.Environment{}
)

// base returns an environment without variables of a policy's own.
func base(k key) (*cel.Environment, error) {
	basesMu.Lock()
	defer basesMu.Unlock()
	if e := bases[k]; e != nil {
		return e, nil
	}
	e, err := newBase(k)
	if err == nil {
		bases[k] = e
	}
	return e, err
}

func newBase(k key) (*cel.Environment, error) {
	request, err := cel.NewNamed(requestType, "kubernetes.AdmissionRequest")
	if err != nil {
		return nil, err
	}
	namespace, err := cel.NewNamed(namespaceType, "kubernetes.Namespace")
	if err != nil {
		return nil, err
	}
	var options []celgo.EnvOption
	if !k.noObject {
		options = append(options, cel.Variable("object", cel.DynType), cel.Variable("oldObject", cel.DynType))
	}
	if k.params {
		options = append(options, cel.Variable("params", cel.DynType))
	}
	if k.authorizer {
		options = append(options, cel.Variable("authorizer", library.AuthorizerType),
			cel.Variable("authorizer.requestResource", library.ResourceCheckType))
	}
	if k.patches {
		options = append(options, patchTypes(), library.JSONPatch())
	}
	e, err := cel.Base().Extend(options...)
	if err == nil {
		e, err = request.Object(e, "request")
	}
	if err == nil {
		e, err = namespace.Object(e, "namespaceObject")
	}
	return e, err
}
