package customresource

import (
	"context"
	"encoding/json"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/codec"
	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	definitions "github.com/keelson/keelson/proto/pipeline/kinds/apiextensions"
)

// Types of conditions.
const (
	established   = "Established"
	namesAccepted = "NamesAccepted"
	conformant    = "KubernetesAPIApprovalPolicyConformant"
)

// manager is the field manager of what the controller writes.
const manager = "keelson-apiserver"

func isTrue(s *apiextensionsv1.CustomResourceDefinitionStatus, typ string) bool {
	return definitions.Condition(s, typ).GetStatus() == "True"
}

// status writes what became of a definition, if it does not say so already.
func (c *Controller) status(ctx context.Context, crd *apiextensionsv1.CustomResourceDefinition, v verdict) error {
	want := &apiextensionsv1.CustomResourceDefinitionStatus{}
	if crd.Status != nil {
		want = proto.Clone(crd.Status).(*apiextensionsv1.CustomResourceDefinitionStatus)
	}
	want.AcceptedNames = v.accepted
	set := func(typ string, ok bool, reason, message string) {
		text := "False"
		if ok {
			text = "True"
		}
		if have := definitions.Condition(want, typ); have.GetStatus() == text && have.GetReason() == reason && have.GetMessage() == message {
			return
		}
		definitions.Set(want, &apiextensionsv1.CustomResourceDefinitionCondition{Type: typ, Status: text, Reason: reason, Message: message}, c.o.Clock())
	}
	set(namesAccepted, v.ok, v.reason, v.message)
	switch {
	case isTrue(want, established):
	case v.ok:
		set(established, true, "InitialNamesAccepted", "the initial names have been accepted")
	default:
		set(established, false, "NotAccepted", "not all names are accepted")
	}
	if ok, reason, message, protected := approval(crd); protected {
		set(conformant, ok, reason, message)
	}
	if proto.Equal(want, crd.Status) {
		return nil
	}
	return c.writeStatus(ctx, crd, want)
}

// writeStatus replaces the status of a definition as it was read; somebody else's change comes as an event.
func (c *Controller) writeStatus(ctx context.Context, crd *apiextensionsv1.CustomResourceDefinition, status *apiextensionsv1.CustomResourceDefinitionStatus) error {
	text, err := codec.AppendMessage(nil, status, codec.EncodeOptions{})
	if err != nil {
		return err
	}
	return c.patch(ctx, crd, "status", map[string]any{"metadata": map[string]any{"resourceVersion": crd.GetMetadata().GetResourceVersion()}, "status": json.RawMessage(text)})
}

func (c *Controller) patch(ctx context.Context, crd *apiextensionsv1.CustomResourceDefinition, subresource string, patch map[string]any) error {
	body, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	_, err = c.o.Server.Patch(ctx, &resourcev1.PatchRequest{
		Ref:  &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Group: group, Version: "v1", Plural: plural}, Name: crd.GetMetadata().GetName(), Subresource: subresource},
		Type: resourcev1.PatchType_PATCH_TYPE_MERGE, Patch: body, Options: &resourcev1.WriteOptions{FieldManager: manager},
	})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// approval tells whether a definition in a group of the Kubernetes community says where it was approved.
func approval(crd *apiextensionsv1.CustomResourceDefinition) (ok bool, reason, message string, protected bool) {
	g := crd.GetSpec().GetGroup()
	if g != "k8s.io" && g != "kubernetes.io" && !strings.HasSuffix(g, ".k8s.io") && !strings.HasSuffix(g, ".kubernetes.io") {
		return false, "", "", false
	}
	const annotation = "api-approved.kubernetes.io"
	switch text := crd.GetMetadata().GetAnnotations()[annotation]; {
	case text == "":
		return false, "MissingAnnotation", "protected groups must have approval annotation \"" + annotation + "\", see https://github.com/kubernetes/enhancements/pull/1111", true
	case strings.HasPrefix(text, "unapproved"):
		return false, "UnapprovedAnnotation", "not approved: \"" + text + "\"", true
	default:
		return true, "ApprovedAnnotation", "approved in " + text, true
	}
}
