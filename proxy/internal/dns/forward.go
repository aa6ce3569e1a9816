package dns

import (
	"bufio"
	"net"
	"os"
	"strings"
	"time"

	miekg "github.com/miekg/dns"
)

// upstreamTimeout bounds one try with one server.
const upstreamTimeout = 2 * time.Second

// forwarder asks other servers, in their order, as the resolver of the machine would.
type forwarder struct{ servers []string }

func (f *forwarder) exchange(q *miekg.Msg) *miekg.Msg {
	for _, server := range f.servers {
		client := miekg.Client{Timeout: upstreamTimeout, UDPSize: maxUDP}
		reply, _, err := client.Exchange(q, server)
		if err == nil && reply.Truncated {
			client.Net = "tcp"
			reply, _, err = client.Exchange(q, server)
		}
		if err == nil && reply.Rcode != miekg.RcodeServerFailure {
			return reply
		}
	}
	reply := new(miekg.Msg)
	reply.SetRcode(q, miekg.RcodeServerFailure)
	reply.RecursionAvailable = true
	return reply
}

// Upstream reads the servers of a resolv.conf, leaving out the address that is our own.
func Upstream(path, own string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) >= 2 && fields[0] == "nameserver" && fields[1] != own {
			out = append(out, net.JoinHostPort(fields[1], "53"))
		}
	}
	return out, lines.Err()
}
