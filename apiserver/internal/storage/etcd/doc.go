// Package etcd is the API server's store.Store: etcd, embedded in the process and reached without a network hop, or an
// external cluster of several members over TLS. Both go through clientv3; the only difference behind the client is
// how the current revision is asked for (Revision).
//
// The embedded server opens no port. Its history is compacted here, in Kubernetes' way, so that several API servers on
// one external cluster take turns.
package etcd
