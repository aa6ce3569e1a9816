package h2_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// feeds are handlers' streams of events by their number.
type feeds struct{ events []chan []byte }

func newFeeds(n int) *feeds {
	f := &feeds{events: make([]chan []byte, n)}
	for i := range f.events {
		f.events[i] = make(chan []byte, 1)
	}
	return f
}

func (f *feeds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil {
		_, _ = io.Copy(io.Discard, r.Body) // traffic between the events
		return
	}
	rc := http.NewResponseController(w)
	_ = rc.Flush()
	for {
		select {
		case e := <-f.events[n]:
			_ = rc.SetWriteDeadline(time.Now().Add(time.Minute))
			_, _ = w.Write(e)
			_ = rc.Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// event is random bytes that begin with their number.
func event(r *rand.Rand, n int) []byte {
	size := 4 + r.IntN(100)
	if r.IntN(20) == 0 {
		size += r.IntN(100000)
	}
	b := make([]byte, size)
	for i := range b[4:] {
		b[4+i] = byte(r.Uint32())
	}
	binary.BigEndian.PutUint32(b, uint32(n))
	return b
}

// Each event arrives although nothing else is sent afterwards.
func TestNoEventWaitsForTheNext(t *testing.T) {
	const watches, rounds = 60, 300
	f := newFeeds(watches)
	addr, c, _ := start(t, f)
	in := make([]io.Reader, watches)
	for i := range in {
		resp, err := c.Get(fmt.Sprintf("https://%s/?n=%d", addr, i))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		in[i] = resp.Body
	}
	r := rand.New(rand.NewPCG(1, 2))
	for round := range rounds {
		var senders, readers sync.WaitGroup
		for i, n := range r.Perm(watches)[:1+r.IntN(watches)] {
			e := event(r, round)
			senders.Go(func() { f.events[n] <- e })
			if i%10 == 0 {
				senders.Go(func() { get(t, c, "https://"+addr+"/") })
			}
			readers.Go(func() { expect(t, in[n], e, round, n) })
		}
		senders.Wait()
		if !ends(&readers) {
			t.Fatalf("round %d: an event does not arrive", round)
		}
	}
}

func expect(t *testing.T, in io.Reader, e []byte, round, n int) {
	got := make([]byte, len(e))
	if _, err := io.ReadFull(in, got); err != nil || string(got) != string(e) {
		t.Errorf("round %d, watch %d: %v, or another event", round, n, err)
	}
}

// ends waits for a group, unless it is stuck.
func ends(g *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() { defer close(done); g.Wait() }()
	stuck := time.NewTimer(time.Minute)
	defer stuck.Stop()
	select {
	case <-done:
		return true
	case <-stuck.C:
		return false
	}
}

// A client whose windows are tiny, change and are opened by turns gets each event as far as they allow, and all in the end.
func TestTinyWindowsLoseNoEvent(t *testing.T) {
	const watches, rounds = 40, 120
	f := newFeeds(watches)
	addr, _, _ := start(t, f)
	c := dial(t, addr)
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Minute)) // only a server that is stuck makes it pass
	r := rand.New(rand.NewPCG(3, 4))
	initial := int64(7)
	_ = c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(initial)})
	acknowledged(t, c) // what dial has sent
	acknowledged(t, c)
	window, conn := map[uint32]int64{}, int64(65535)
	for i := range watches {
		id := uint32(2*i + 1)
		window[id] = initial
		c.headers(id, true, ":method", "GET", ":scheme", "https", ":path", fmt.Sprint("/?n=", i), ":authority", "x")
	}
	for round := range rounds {
		if r.IntN(4) == 0 {
			next := r.Int64N(40)
			_ = c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(next)})
			acknowledged(t, c)
			for id := range window {
				window[id] += next - initial
			}
			initial = next
		}
		left, want := map[uint32]int{}, map[uint32][]byte{}
		for _, n := range r.Perm(watches)[:1+r.IntN(watches)] {
			e := event(r, round)
			e = e[:min(len(e), 64)]
			id := uint32(2*n + 1)
			want[id], left[id] = e, len(e)
			f.events[n] <- e
		}
		for len(left) > 0 {
			// What both windows allow arrives by itself. Where nothing is allowed, one of them is opened by a little.
			able := false
			for id := range left {
				able = able || window[id] > 0 && conn > 0
			}
			if !able {
				for id := range left {
					if by := min(int64(1+r.IntN(9)), 1-window[id]+int64(r.IntN(9))); by > 0 {
						_ = c.framer.WriteWindowUpdate(id, uint32(by))
						window[id] += by
					}
					break
				}
				if conn <= 0 {
					by := int64(1 + r.IntN(500))
					_ = c.framer.WriteWindowUpdate(0, uint32(by))
					conn += by
				}
				continue
			}
			d := until[*http2.DataFrame](t, c)
			data, id := d.Data(), d.StreamID
			conn -= int64(len(data))
			window[id] -= int64(len(data))
			if window[id] < 0 || conn < 0 {
				t.Fatalf("round %d: stream %d: more than the windows allow: %d and %d", round, id, window[id], conn)
			}
			at := len(want[id]) - left[id]
			if len(data) > left[id] || string(data) != string(want[id][at:at+len(data)]) {
				t.Fatalf("round %d: stream %d: not what was sent", round, id)
			}
			if left[id] -= len(data); left[id] == 0 {
				delete(left, id)
			}
		}
	}
}

// acknowledged waits until the server says that it has taken over settings.
func acknowledged(t *testing.T, c *rawConn) {
	for !until[*http2.SettingsFrame](t, c).IsAck() {
	}
}
