package allocate

import (
	"context"
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// none is a server without Services.
type none struct{ strategy.Access }

func (none) Items(string, string, string) []*item.Item { return nil }

func TestRepairRemovesOldClaimsOfNobody(t *testing.T) {
	s := memory.New()
	defer s.Close()
	a := New(Config{Store: s, Access: none{}, ClusterIPRange: netip.MustParsePrefix("10.0.0.0/24"), NodePortRange: [2]int{30000, 30100}, Logger: zap.NewNop()})
	old, err := json.Marshal(claim{Owner{"default", "gone", "1"}, time.Now().Add(-2 * youngest)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), ipKeys+"10.0.0.9", old, 0); err != nil {
		t.Fatal(err)
	}
	young := Owner{"default", "coming", "2"}
	if err := a.IP(t.Context(), young, "10.0.0.10", false); err != nil {
		t.Fatal(err)
	}
	if err := a.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, err := a.taken(context.Background(), ipKeys)
	if err != nil || len(left) != 1 {
		t.Fatalf("left %v, %v", left, err)
	}
	if _, ok := left["10.0.0.10"]; !ok {
		t.Fatal("the claim of a Service that is about to be stored is gone")
	}
}

func TestAddresses(t *testing.T) {
	a := New(Config{ClusterIPRange: netip.MustParsePrefix("10.96.0.0/16")})
	for offset, want := range map[int]string{1: "10.96.0.1", 255: "10.96.0.255", 256: "10.96.1.0", a.hosts: "10.96.255.254"} {
		if got := a.address(offset).String(); got != want {
			t.Errorf("address %d is %s, want %s", offset, got, want)
		}
	}
	six := New(Config{ClusterIPRange: netip.MustParsePrefix("fd00::/112")})
	if got := six.address(six.hosts).String(); got != "fd00::ffff" || six.Family() != "IPv6" {
		t.Errorf("last address %s, %s", got, six.Family())
	}
}
