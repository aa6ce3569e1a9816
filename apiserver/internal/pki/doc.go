// Package pki is the cluster's own certificate authority and the keeper of everything that it signs.
//
// On its first start an API server needs nobody to hand it credentials: Open makes a certificate authority, a serving
// certificate, the service-account signing key and the client certificates of the components that run beside it, and
// writes them below the data directory:
//
//	<data-dir>/admin.kubeconfig                     for people; embeds everything it needs
//	<data-dir>/pki/ca.{crt,key}                     the authority; ca.crt may hold several certificates while rotating
//	<data-dir>/pki/sa.key, sa.pub                   signs service-account tokens; sa.pub may hold older public keys too
//	<data-dir>/pki/apiserver.{crt,key}              serves both doors
//	<data-dir>/pki/{admin,scheduler,controller-manager}.{crt,key}
//
// # Surviving a crash
//
// Every file is written beside its place, synced, renamed and its directory synced: at any instruction a reader finds
// the old bytes or the new ones. A key is written before its certificate and never replaced while it is readable:
// renewal signs the same key again, so no reader can see a pair that does not match. Whatever a crash left undone the
// next Open does. The one thing that is never made up is an authority: a ca.crt whose key is gone is an error as soon
// as something has to be signed, because a new authority would lock out every node of the cluster.
//
// # Several API servers
//
// The servers of one cluster share the authority and the token key: copy ca.crt, ca.key, sa.key and sa.pub of the first
// one into the pki directory of another before its first start. It makes everything else for itself.
//
// Several processes may work on one directory (`keelson-apiserver issue` beside a running server); they take turns by
// a lock file.
package pki
