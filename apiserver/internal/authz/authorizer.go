package authz

import (
	"context"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/keelson/keelson/proto/apierrors"
	rbacv1 "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"

	"github.com/keelson/keelson/apiserver/internal/authz/bootstrap"
	"github.com/keelson/keelson/apiserver/internal/authz/feed"
	"github.com/keelson/keelson/apiserver/internal/authz/node"
	"github.com/keelson/keelson/apiserver/internal/authz/rbac"
)

const (
	// catchUpTimeout bounds how long a refusal waits for views that lag.
	catchUpTimeout = time.Second
	// aggregationTimeout bounds how long the start waits for aggregated roles.
	aggregationTimeout = 5 * time.Second
)

// Options of an Authorizer.
type Options struct {
	// Logger; nil: nothing is logged.
	Logger *zap.Logger
	// APIAudiences are the audiences of the API server itself: its issuer. Nodes may ask for tokens for them for pods
	// that mount a token without naming an audience.
	APIAudiences []string
}

// Authorizer is the chain of authorizers. It is safe for concurrent use.
type Authorizer struct {
	logger *zap.Logger
	index  *rbac.Index
	graph  *node.Graph
	nodes  *node.Authorizer
	keeper *bootstrap.Keeper
	views  *feed.Set

	restriction *node.Restriction
}

// New returns an authorizer that allows system:masters only, until Run has filled its views.
func New(o Options) *Authorizer {
	logger := o.Logger
	if logger == nil {
		logger = zap.NewNop()
	}
	z := &Authorizer{logger: logger, index: rbac.NewIndex(), graph: node.NewGraph(), keeper: bootstrap.NewKeeper(logger)}
	z.nodes = node.NewAuthorizer(z.graph, bootstrap.NodeRules())
	z.views = feed.NewSet(logger, z.roles(), z.clusterRoles(), z.roleBindings(), z.clusterRoleBindings(), z.pods())
	z.restriction = node.NewRestriction(z.graph, o.APIAudiences, z.views.CatchUp)
	return z
}

// Graph is the view of the cluster's pods; authentication checks tokens against it.
func (z *Authorizer) Graph() *node.Graph { return z.graph }

// Restriction judges what nodes write; tokens they ask for pass through its Token.
func (z *Authorizer) Restriction() *node.Restriction { return z.restriction }

// Run follows the server's objects and keeps the default roles until ctx ends; it returns after all it started has.
func (z *Authorizer) Run(ctx context.Context, server *pipeline.Server) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		z.keeper.Run(feed.Context(ctx), server)
	}()
	z.views.Run(ctx, feed.From(server))
	<-done
}

// WaitForSync returns once the default roles are there and the views hold them.
func (z *Authorizer) WaitForSync(ctx context.Context) error {
	if err := z.keeper.WaitForRoles(ctx); err != nil {
		return err
	}
	if err := z.views.WaitForSync(ctx); err != nil {
		return err
	}
	if err := z.views.CatchUp(ctx); err != nil {
		return err
	}
	// A role that somebody broke must not keep the server from starting.
	bounded, cancel := context.WithTimeout(ctx, aggregationTimeout)
	defer cancel()
	if err := z.keeper.WaitForAggregation(bounded); err != nil {
		z.logger.Warn("aggregated roles are not complete yet", zap.Error(err))
	}
	return ctx.Err()
}

// CatchUp returns once the views hold everything that was written before the call.
func (z *Authorizer) CatchUp(ctx context.Context) error { return z.views.CatchUp(ctx) }

// Authorize implements pipeline.Authorizer.
func (z *Authorizer) Authorize(ctx context.Context, a pipeline.Attributes) (pipeline.Decision, string, error) {
	decision, reason := z.ask(&a)
	if decision == pipeline.Allow || a.User.Name == identity.Anonymous {
		return decision, reason, nil
	}
	ctx, cancel := context.WithTimeout(ctx, catchUpTimeout)
	defer cancel()
	if err := z.views.CatchUp(ctx); err != nil {
		z.logger.Debug("refusing by views that may lag", zap.String("user", a.User.Name), zap.Error(err))
		return decision, reason, nil
	}
	decision, reason = z.ask(&a)
	return decision, reason, nil
}

// ask takes the views as they are.
func (z *Authorizer) ask(a *pipeline.Attributes) (pipeline.Decision, string) {
	if a.User.InGroup(identity.GroupMasters) {
		return pipeline.Allow, ""
	}
	decision, nodeReason, _ := z.nodes.Authorize(context.Background(), *a)
	if decision == pipeline.Allow {
		return decision, nodeReason
	}
	allowed, reason := z.index.Allow(a.User, rbac.Query{
		Verb: a.Verb, Group: a.Group, Resource: a.Resource, Subresource: a.Subresource,
		Namespace: a.Namespace, Name: a.Name, Path: a.Path,
	})
	if allowed {
		return pipeline.Allow, reason
	}
	if nodeReason != "" {
		nodeReason = "node: " + nodeReason // whose opinion it is
	}
	return pipeline.NoOpinion, join(nodeReason, reason)
}

func join(reasons ...string) string {
	var said []string
	for _, r := range reasons {
		if r != "" {
			said = append(said, r)
		}
	}
	return strings.Join(said, "\n")
}

// Check authorizes a request that does not pass through the pipeline. A refusal is the Forbidden error that the client
// is to see.
func (z *Authorizer) Check(ctx context.Context, a pipeline.Attributes) error {
	decision, reason, err := z.Authorize(ctx, a)
	if err != nil {
		return apierrors.NewInternal(err)
	}
	if decision == pipeline.Allow {
		return nil
	}
	return apierrors.NewDenied(apierrors.Denied{
		User: a.User.Name, Verb: a.Verb, Group: a.Group, Resource: a.Resource, Subresource: a.Subresource,
		Namespace: a.Namespace, Name: a.Name, Path: a.Path, Reason: reason,
	})
}

func resource(group, plural string) *resourcev1.Resource {
	return &resourcev1.Resource{Group: group, Version: "v1", Plural: plural}
}

func (z *Authorizer) roles() feed.View {
	return feed.View{
		Resource: resource(rbac.Group, "roles"),
		Set: func(it *pipeline.Item) error {
			role := &rbacv1.Role{}
			if err := decode(it, role); err != nil {
				return err
			}
			z.index.SetRole(it.Namespace, it.Name, role.GetRules())
			return nil
		},
		Delete: z.index.DeleteRole,
	}
}

func (z *Authorizer) clusterRoles() feed.View {
	return feed.View{
		Resource: resource(rbac.Group, "clusterroles"),
		Set: func(it *pipeline.Item) error {
			role := &rbacv1.ClusterRole{}
			if err := decode(it, role); err != nil {
				return err
			}
			z.index.SetRole("", it.Name, role.GetRules())
			z.keeper.SetRole(role)
			return nil
		},
		Delete: func(_, name string) {
			z.index.DeleteRole("", name)
			z.keeper.DeleteRole(name)
		},
	}
}

func (z *Authorizer) roleBindings() feed.View {
	return feed.View{
		Resource: resource(rbac.Group, "rolebindings"),
		Set: func(it *pipeline.Item) error {
			b := &rbacv1.RoleBinding{}
			if err := decode(it, b); err != nil {
				return err
			}
			z.index.SetBinding(it.Namespace, it.Name, b.GetRoleRef(), b.GetSubjects())
			return nil
		},
		Delete: z.index.DeleteBinding,
	}
}

func (z *Authorizer) clusterRoleBindings() feed.View {
	return feed.View{
		Resource: resource(rbac.Group, "clusterrolebindings"),
		Set: func(it *pipeline.Item) error {
			b := &rbacv1.ClusterRoleBinding{}
			if err := decode(it, b); err != nil {
				return err
			}
			z.index.SetBinding("", it.Name, b.GetRoleRef(), b.GetSubjects())
			return nil
		},
		Delete: func(_, name string) { z.index.DeleteBinding("", name) },
	}
}

func (z *Authorizer) pods() feed.View {
	return feed.View{
		Resource: resource("", "pods"),
		Set:      func(it *pipeline.Item) error { return z.graph.SetEncoded(it.Namespace, it.Name, it.Trimmed()) },
		Delete:   z.graph.DeletePod,
	}
}
