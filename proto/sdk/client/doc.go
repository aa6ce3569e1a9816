// Package client is how components speak to the API server: typed with generics over the one resource service, so that
// a kind needs no code of its own here.
//
//	conn, err := client.Dial(client.Config{Endpoints: []string{"10.0.0.1:6444"}, CAFile: ca, CertFile: crt, KeyFile: key})
//	pods := client.For[*corev1.Pod](conn)
//	pod, err := pods.Get(ctx, "default", "web-0")
//
// Promises:
//
//   - Errors are those of package apierrors, whatever broke.
//   - Calls wait for a connection, within their deadline, and are never sent twice unless they only read. A write whose
//     connection broke after it was sent fails, because nobody knows whether it took effect.
//   - With several endpoints the client sticks to one and moves on when it is lost.
//   - Certificates are read again from their files at each connection, so renewing them needs no restart.
//   - There is no client-side rate limit: the server protects itself.
package client
