// Package loopback finds addresses for servers that tests start, stop and start again.
package loopback

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Ports below those that the kernel gives to outgoing connections (ip_local_port_range, from 32768) and to node ports.
const (
	first = 12_000
	end   = 30_000
)

// Ports returns n TCP ports of 127.0.0.1 on which nobody listens. No connection is given one by chance, as it happens to
// ports that the kernel picks: they stay free until the test's servers listen on them, or do so again.
func Ports(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for tries := 0; len(ports) < n; tries++ {
		port := first + rand.IntN(end-first)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		switch {
		case err == nil:
			defer l.Close() // no port is drawn twice
			ports = append(ports, port)
		case tries == 100*n:
			t.Fatalf("no port is free: %v", err)
		}
	}
	return ports
}

// Address returns 127.0.0.1 with one such port.
func Address(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(Ports(t, 1)[0]))
}
