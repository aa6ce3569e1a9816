// Package certificates approves the signing requests of kubelets that may have what they ask for, and deletes requests that
// nobody needs any more.
//
// It reads CertificateSigningRequests, asks the API server who may do what, and writes the condition Approved. A request of
// the signer kubernetes.io/kube-apiserver-client-kubelet is approved where whoever asks may create
// certificatesigningrequests/selfnodeclient (for himself) or /nodeclient (for any node). All others wait for people. The API
// server itself issues the certificates: it has the key.
package certificates

import (
	"context"
	"fmt"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	authorizationv1 "github.com/keelson/keelson/proto/gen/keelson/authorization/v1"
	certificatesv1 "github.com/keelson/keelson/proto/gen/keelson/certificates/v1"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/controller-manager/internal/caches"
	"github.com/keelson/keelson/controller-manager/internal/controller"
)

// Name of the controller.
const Name = "certificates"

const workers = 2

type request = *certificatesv1.CertificateSigningRequest

// Controller reconciles CertificateSigningRequests.
type Controller struct {
	*controller.Runner[controller.Key]
	env      *controller.Env
	requests *informer.Informer[request]
	client   *client.Client[request]
}

// New makes the controller and subscribes it to the caches.
func New(env *controller.Env) *Controller {
	c := &Controller{env: env, requests: caches.Of[request](env.Caches), client: client.For[request](env.Conn)}
	c.Runner = controller.RunnerOf[controller.Key](env, Name, workers, c.requests)
	c.requests.OnEvent(func(e informer.Event[request]) {
		if e.Type != informer.Deleted {
			c.Add(controller.KeyOf(e.New))
		}
	})
	return c
}

// Run reconciles until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.Runner.Run(ctx, c.Reconcile) }

// Reconcile deletes or approves one request, or sees when it is to be looked at again.
func (c *Controller) Reconcile(ctx context.Context, key controller.Key) error {
	r, ok := c.requests.Get("", key.Name)
	if !ok || r.GetMetadata().GetDeletionTimestamp() != nil {
		return nil
	}
	if at := expiry(r); !at.IsZero() {
		left := at.Sub(c.env.Now())
		if left <= 0 {
			c.Log().Info("deleting a signing request that is over", zap.String("name", key.Name))
			err := c.client.Delete(ctx, "", key.Name, client.DeleteOptions{Preconditions: client.UID(r.GetMetadata().GetUid())})
			if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
				return nil
			}
			return err
		}
		c.AddAfter(key, left+time.Second)
	}
	if decided(r) {
		return nil
	}
	for _, k := range recognize(r) {
		may, err := c.may(ctx, r, k.subresource)
		if err != nil {
			return err
		}
		if may {
			return c.approve(ctx, key, r, k.message)
		}
	}
	return nil
}

// may asks whether whoever made the request may have it.
func (c *Controller) may(ctx context.Context, r request, subresource string) (bool, error) {
	spec := r.GetSpec()
	review := &authorizationv1.SubjectAccessReview{Spec: &authorizationv1.SubjectAccessReviewSpec{
		User: spec.GetUsername(), Uid: spec.GetUid(), Groups: spec.GetGroups(),
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Group: "certificates.k8s.io", Resource: "certificatesigningrequests", Verb: "create", Version: "*", Subresource: subresource,
		},
	}}
	for k, v := range spec.GetExtra() {
		if review.Spec.Extra == nil {
			review.Spec.Extra = map[string]*authorizationv1.ExtraValue{}
		}
		review.Spec.Extra[k] = &authorizationv1.ExtraValue{Items: v.GetItems()}
	}
	answer, err := client.For[*authorizationv1.SubjectAccessReview](c.env.Conn).Create(ctx, review)
	if err != nil {
		return false, fmt.Errorf("asking what %s may: %w", spec.GetUsername(), err)
	}
	return answer.GetStatus().GetAllowed(), nil
}

func (c *Controller) approve(ctx context.Context, key controller.Key, r request, message string) error {
	changed := proto.CloneOf(r)
	if changed.Status == nil {
		changed.Status = &certificatesv1.CertificateSigningRequestStatus{}
	}
	changed.Status.Conditions = append(changed.Status.Conditions, &certificatesv1.CertificateSigningRequestCondition{
		Type: approved, Status: "True", Reason: "AutoApproved", Message: message,
	})
	written, err := c.client.UpdateSubresource(ctx, "approval", changed)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("approving %s: %w", key, err)
	}
	c.Wrote(key, c.requests, client.Revision(written))
	return nil
}
