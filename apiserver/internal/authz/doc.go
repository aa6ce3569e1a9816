// Package authz decides who may do what: the node authorizer for kubelets, RBAC for everybody, and system:masters past
// both.
//
// It is wired in three steps, because the rules are stored behind the very pipeline that asks:
//
//	z := authz.New(authz.Options{Logger: logger, APIAudiences: []string{issuer}})
//	server, err := pipeline.New(pipeline.Config{Authorizer: z, Admission: z.Admission(), Handlers: z.Handlers(), ...})
//	go z.Run(ctx, server)                       // follows roles, bindings and pods; writes Kubernetes' default roles
//	err = z.WaitForSync(ctx)                    // before the doors open
//
// Requests that are for no resource (/healthz, /metrics) and those that never reach the pipeline (exec, port-forward) go
// through Check, which returns the refusal as clients expect it.
//
// A view that lags must not refuse what was granted a moment ago: before a refusal the authorizer lets its views catch
// up with the store, once and for a second at most, and asks again.
//
//	authz            the chain, its views, reviews (can-i), the admission of roles and bindings
//	authz/rbac       rules, compiled
//	authz/node       what a kubelet may read and write
//	authz/bootstrap  the roles every cluster has, and aggregation
//	authz/feed       watches within the process
package authz
