// Package tunnel reaches into nodes that open no port.
//
// A kubelet calls Connect and leaves the stream open. To get at a pod's logs or into a container, the API server sends
// what it wants down that stream; the kubelet answers by calling Session, a stream of its own for each operation, so
// that a slow terminal holds up nobody else and gRPC's flow control reaches from the container to the user.
//
//	Open(node, op) ──► control stream of the node ──► kubelet
//	     ▲                                               │ Session{Accept(id)}
//	     └────────────── matched by session id ◄─────────┘
//
//	pending ──accept──► open ──Close, context end, node gone──► ended
//	   └──no accept in time, control stream gone, context end──► ended
//
// A session id is a random secret told to one node only, and a session is handed over only to that node's identity.
package tunnel
