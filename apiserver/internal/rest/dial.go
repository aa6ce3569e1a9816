package rest

import (
	"context"
	"net"
)

// DialService connects to an endpoint of a service, by the number of one of its ports: for programs that extend the API
// server and run in the cluster.
func (s *Server) DialService(ctx context.Context, namespace, name string, port int32) (net.Conn, error) {
	return s.proxies.DialService(ctx, namespace, name, port)
}
