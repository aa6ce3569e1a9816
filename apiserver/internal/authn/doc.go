// Package authn finds out who makes a request, for both doors: from a client certificate of the cluster's authority, or
// from a service account's token.
//
//	a, err := authn.New(authn.Options{
//		ClientCAs: keys.ClientCAs(), SigningKey: keys.ServiceAccountKey(), VerifyingKeys: keys.ServiceAccountPublicKeys(),
//		Pods: z.Graph(), CatchUpPods: z.CatchUp, RestrictToken: z.Restriction().Token,
//	})
//	go a.Run(ctx, server)                 // follows service accounts, secrets and nodes, for what tokens are bound to
//	user, err := a.AuthenticateRequest(r) // HTTP
//	user, err := a.AuthenticateCall(ctx)  // gRPC
//	pipeline.Config{Handlers: a.Handlers()}   // serviceaccounts/token, TokenReview, SelfSubjectReview
//	rest.Config{Documents: a.Documents(url)}  // how others verify tokens
//
// Whoever shows no credentials is anonymous and gets no further than health and version; wrong credentials are refused
// whatever is asked for, never taken for none. All refusals look alike from outside: why a credential is bad is for the
// log.
package authn
