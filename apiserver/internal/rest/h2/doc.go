// Package h2 serves HTTP/2 for http.Server in place of the standard library's implementation, which hands every frame
// through three goroutines: a watch event cost five times as much as its encryption.
//
//	http.Server ── TLS, ALPN "h2" ──► reader goroutine: frames in ──► stream ──► handler on a worker
//	                                                                                │ frames out, written where they arise
//	                                                                     TLS ◄──────┘ (whoever finds nobody writing writes
//	                                                                                   for all who come meanwhile)
//
// It speaks what Kubernetes' clients speak: requests with bodies, responses of any length, flow control both ways,
// deadlines by http.ResponseController, GOAWAY at shutdown. There is no server push, no trailer in responses, and no
// hijacking: upgrades are HTTP/1.1's.
//
// What goes to many responses, as events of watches do, need not pass through their handlers: a Burst adds to the responses
// of a connection and writes without ever waiting.
//
// Bounds: maxStreams requests of a connection at a time, recvConn bytes of request bodies that no handler has read,
// maxPending bytes that wait for the network, http.Server's MaxHeaderBytes of header. A peer that does not read what it
// asked for is cut off after stuckAfter.
package h2
