package dns

import (
	"net/netip"
	"sort"
	"strings"
	"testing"

	miekg "github.com/miekg/dns"
	"go.uber.org/zap"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

func ptr[T any](v T) *T { return &v }

// fixed is a Source with a Service of each sort in the namespace "shop".
type fixed struct{}

func (fixed) Service(namespace, name string) (*corev1.Service, bool) {
	spec, ok := map[string]*corev1.ServiceSpec{
		"web":       {ClusterIP: "10.96.0.5", Ports: []*corev1.ServicePort{{Name: "http", Port: 80, Protocol: "TCP"}}},
		"db":        {ClusterIP: "None", Ports: []*corev1.ServicePort{{Name: "sql", Port: 5432, Protocol: "TCP"}}},
		"elsewhere": {Type: "ExternalName", ExternalName: "web.shop.svc.cluster.local"},
	}[name]
	if !ok || namespace != "shop" {
		return nil, false
	}
	return &corev1.Service{Metadata: &metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: spec}, true
}

func (fixed) Slices(_, name string) []*discoveryv1.EndpointSlice {
	if name != "db" {
		return nil
	}
	return []*discoveryv1.EndpointSlice{{
		Ports: []*discoveryv1.EndpointPort{{Name: ptr("sql"), Port: ptr[int32](5432), Protocol: ptr("TCP")}},
		Endpoints: []*discoveryv1.Endpoint{
			{Addresses: []string{"10.244.0.2"}, Hostname: ptr("db-0"), Conditions: &discoveryv1.EndpointConditions{Ready: ptr(true)}},
			{Addresses: []string{"10.244.0.3"}, Conditions: &discoveryv1.EndpointConditions{Ready: ptr(true)}},
			{Addresses: []string{"10.244.0.4"}, Conditions: &discoveryv1.EndpointConditions{Ready: ptr(false)}},
		},
	}}
}

func (fixed) NamespaceExists(namespace string) bool { return namespace == "shop" }

func (fixed) ByAddress(addr netip.Addr) (namespace, service, host string, ok bool) {
	if addr == netip.MustParseAddr("10.96.0.5") {
		return "shop", "web", "", true
	}
	return "", "", "", false
}

func server() *Server {
	return New(Config{Domain: "cluster.local", Source: fixed{}, Logger: zap.NewNop()})
}

func TestAnswer(t *testing.T) {
	tests := []struct {
		name  string
		qtype uint16
		want  string // rcode, then the answers' data
	}{
		{"web.shop.svc.cluster.local.", miekg.TypeA, "NOERROR 10.96.0.5"},
		{"WEB.shop.SVC.cluster.local.", miekg.TypeA, "NOERROR 10.96.0.5"},
		{"web.shop.svc.cluster.local.", miekg.TypeAAAA, "NOERROR"},
		{"web.shop.svc.cluster.local.shop.svc.cluster.local.", miekg.TypeA, "NXDOMAIN"},
		{"none.shop.svc.cluster.local.", miekg.TypeA, "NXDOMAIN"},
		{"shop.svc.cluster.local.", miekg.TypeA, "NOERROR"},
		{"none.svc.cluster.local.", miekg.TypeA, "NXDOMAIN"},
		{"db.shop.svc.cluster.local.", miekg.TypeA, "NOERROR 10.244.0.2 10.244.0.3"},
		{"db-0.db.shop.svc.cluster.local.", miekg.TypeA, "NOERROR 10.244.0.2"},
		{"10-244-0-3.db.shop.svc.cluster.local.", miekg.TypeA, "NOERROR 10.244.0.3"},
		{"db-9.db.shop.svc.cluster.local.", miekg.TypeA, "NXDOMAIN"},
		{"_http._tcp.web.shop.svc.cluster.local.", miekg.TypeSRV, "NOERROR 0 1 80 web.shop.svc.cluster.local."},
		{"_sql._tcp.db.shop.svc.cluster.local.", miekg.TypeSRV, "NOERROR 0 1 5432 10-244-0-3.db.shop.svc.cluster.local. 0 1 5432 db-0.db.shop.svc.cluster.local."},
		{"_none._tcp.web.shop.svc.cluster.local.", miekg.TypeSRV, "NXDOMAIN"},
		{"elsewhere.shop.svc.cluster.local.", miekg.TypeA, "NOERROR 10.96.0.5 web.shop.svc.cluster.local."},
		{"10-1-2-3.shop.pod.cluster.local.", miekg.TypeA, "NOERROR 10.1.2.3"},
		{"5.0.96.10.in-addr.arpa.", miekg.TypePTR, "NOERROR web.shop.svc.cluster.local."},
		{"dns-version.cluster.local.", miekg.TypeTXT, `NOERROR "1.1.0"`},
		{"cluster.local.", miekg.TypeA, "NOERROR"},
		{"example.com.", miekg.TypeA, "SERVFAIL"}, // No upstream.
	}
	for _, tt := range tests {
		t.Run(tt.name+miekg.TypeToString[tt.qtype], func(t *testing.T) {
			q := new(miekg.Msg).SetQuestion(tt.name, tt.qtype)
			r := server().Answer(q, true)
			var data []string
			for _, rr := range r.Answer {
				fields := strings.SplitN(rr.String(), "\t", 5)
				data = append(data, fields[4])
			}
			sort.Strings(data)
			got := strings.TrimSpace(miekg.RcodeToString[r.Rcode] + " " + strings.Join(data, " "))
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if r.Id != q.Id || !r.Response {
				t.Error("not an answer to the question")
			}
			if len(r.Answer) > 0 && r.Answer[0].Header().Name != tt.name {
				t.Errorf("the name's spelling changed: %s", r.Answer[0].Header().Name)
			}
		})
	}
}

func TestAnswerRefusesNonsense(t *testing.T) {
	two := new(miekg.Msg).SetQuestion("a.", miekg.TypeA)
	two.Question = append(two.Question, two.Question[0])
	update := new(miekg.Msg).SetUpdate("cluster.local.")
	for want, q := range map[int]*miekg.Msg{miekg.RcodeFormatError: two, miekg.RcodeNotImplemented: update} {
		if got := server().Answer(q, true).Rcode; got != want {
			t.Errorf("got %s, want %s", miekg.RcodeToString[got], miekg.RcodeToString[want])
		}
	}
}

// FuzzAnswer feeds whatever unpacks as a message: the answer must pack, and fit a datagram.
func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"web.shop.svc.cluster.local.", "_http._tcp.web.shop.svc.cluster.local.", "5.0.96.10.in-addr.arpa.", "."} {
		b, err := new(miekg.Msg).SetQuestion(name, miekg.TypeANY).Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	s := server()
	f.Fuzz(func(t *testing.T, b []byte) {
		q := new(miekg.Msg)
		if q.Unpack(b) != nil {
			return
		}
		r := s.Answer(q, true)
		packed, err := r.Pack()
		if err != nil {
			t.Fatalf("the answer to %v does not pack: %v", q, err)
		}
		if len(packed) > maxUDP && len(packed) > miekg.MinMsgSize && len(q.Question) == 1 {
			t.Fatalf("%d bytes in a datagram", len(packed))
		}
	})
}
