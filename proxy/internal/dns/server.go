// Package dns answers the pods of one node for the cluster's domain, from the proxy's own caches, and forwards the rest.
//
// It listens on the cluster's DNS address, which every node has for itself on a link of its own: a question never leaves
// the node, and neither address translation nor connection tracking is on its way.
package dns

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	miekg "github.com/miekg/dns"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
)

// maxUDP is the most that is answered in a datagram to a client that says it can take more than 512 bytes: what passes
// every network in one piece.
const maxUDP = 1232

// Config of a server.
type Config struct {
	// Address to listen on.
	Address netip.Addr
	// Port; default 53.
	Port uint16
	// Domain of the cluster: "cluster.local".
	Domain string
	Source Source
	// Upstream servers ("address:port") for other names. Empty: they cannot be resolved.
	Upstream []string
	Logger   *zap.Logger
	Metrics  *Metrics
}

// Server answers over UDP and TCP.
type Server struct {
	Config
	zone    zone
	forward forwarder
}

// New returns a server.
func New(c Config) *Server {
	if c.Port == 0 {
		c.Port = 53
	}
	return &Server{Config: c, zone: zone{strings.ToLower(miekg.Fqdn(c.Domain)), c.Source}, forward: forwarder{servers: c.Upstream}}
}

// Run answers until the context ends.
func (s *Server) Run(ctx context.Context) error {
	address := netip.AddrPortFrom(s.Address, s.Port).String()
	packets, err := net.ListenPacket("udp", address)
	if err != nil {
		return fmt.Errorf("dns: %w", err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		packets.Close()
		return fmt.Errorf("dns: %w", err)
	}
	servers := []*miekg.Server{
		{PacketConn: packets, Handler: s, ReadTimeout: 5 * time.Second},
		{Listener: listener, Handler: s, ReadTimeout: 5 * time.Second, MaxTCPQueries: 128},
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, server := range servers {
		group.Go(server.ActivateAndServe)
	}
	group.Go(func() error {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		for _, server := range servers {
			_ = server.ShutdownContext(stop)
		}
		return ctx.Err()
	})
	return group.Wait()
}

// ServeDNS implements dns.Handler.
func (s *Server) ServeDNS(w miekg.ResponseWriter, q *miekg.Msg) {
	_, udp := w.RemoteAddr().(*net.UDPAddr)
	reply := s.Answer(q, udp)
	s.Metrics.answered(reply.Rcode)
	if err := w.WriteMsg(reply); err != nil {
		s.Logger.Debug("cannot answer", zap.Stringer("client", w.RemoteAddr()), zap.Error(err))
	}
}

// Answer answers one message; it never fails, whatever the message.
func (s *Server) Answer(q *miekg.Msg, udp bool) *miekg.Msg {
	reply := new(miekg.Msg)
	switch {
	case q.Response || len(q.Question) != 1:
		reply.SetRcode(q, miekg.RcodeFormatError)
		return reply
	case q.Opcode != miekg.OpcodeQuery:
		reply.SetRcode(q, miekg.RcodeNotImplemented)
		return reply
	}
	question := q.Question[0]
	name := strings.ToLower(question.Name)
	if a, ok := s.local(name, question.Qtype); ok {
		s.fill(reply, q, name, a)
	} else {
		reply = s.forward.exchange(q)
		reply.Id = q.Id
	}
	s.fit(reply, q, udp)
	return reply
}

// local answers what the cluster knows; ok is false for names of others.
func (s *Server) local(name string, qtype uint16) (answer, bool) {
	if name == s.zone.domain || strings.HasSuffix(name, "."+s.zone.domain) {
		return s.zone.lookup(name, qtype), true
	}
	if qtype == miekg.TypePTR {
		return s.zone.reverse(name)
	}
	return answer{}, false
}

// fill writes a local answer, following a CNAME once: its target may be the cluster's or not.
func (s *Server) fill(reply, q *miekg.Msg, name string, a answer) {
	reply.SetReply(q)
	reply.Authoritative, reply.RecursionAvailable = true, true
	// The client's spelling of the name is kept (draft-vixie-dnsext-dns0x20).
	for _, rr := range a.records {
		if rr.Header().Name == name {
			rr.Header().Name = q.Question[0].Name
		}
	}
	rand.Shuffle(len(a.records), func(i, j int) { a.records[i], a.records[j] = a.records[j], a.records[i] })
	reply.Answer, reply.Extra = a.records, a.extra
	if len(a.records) > 0 {
		if cname, ok := a.records[0].(*miekg.CNAME); ok && q.Question[0].Qtype != miekg.TypeCNAME {
			s.follow(reply, q, cname.Target)
		}
		return
	}
	if !a.exists {
		reply.Rcode = miekg.RcodeNameError
	}
	reply.Ns = []miekg.RR{s.soa()}
}

func (s *Server) follow(reply, q *miekg.Msg, target string) {
	next := q.Copy()
	next.Question[0].Name = target
	if a, ok := s.local(strings.ToLower(target), next.Question[0].Qtype); ok {
		reply.Answer = append(reply.Answer, a.records...)
		return
	}
	reply.Answer = append(reply.Answer, s.forward.exchange(next).Answer...)
}

// soa is the authority of a negative answer (RFC 2308); its minimum is how long clients remember it.
func (s *Server) soa() miekg.RR {
	return &miekg.SOA{
		Hdr: header(s.zone.domain, miekg.TypeSOA), Ns: "ns.dns." + s.zone.domain, Mbox: "hostmaster." + s.zone.domain,
		Serial: uint32(time.Now().Unix()), Refresh: 7200, Retry: 1800, Expire: 86400, Minttl: ttl,
	}
}

// fit cuts a datagram to what the client takes; it asks again over TCP.
func (s *Server) fit(reply, q *miekg.Msg, udp bool) {
	size := miekg.MinMsgSize
	if opt := q.IsEdns0(); opt != nil {
		size = min(max(int(opt.UDPSize()), size), maxUDP)
		if reply.IsEdns0() == nil {
			reply.SetEdns0(maxUDP, false)
		}
	}
	if !udp {
		size = miekg.MaxMsgSize
	}
	reply.Truncate(size)
}
