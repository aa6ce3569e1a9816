package h2_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/keelson/keelson/apiserver/internal/rest/h2"
)

// direct is a handler whose responses a burst adds to; what it does not take is for the handler.
type direct struct {
	opened chan opened
	// hold, where set, keeps handlers from returning until it is closed.
	hold chan struct{}
}

type opened struct {
	n   int
	res h2.Response
	// own takes what the handler is to write, and answers when it has.
	own chan []byte
	ack chan struct{}
}

func (d *direct) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil {
		return
	}
	rc := http.NewResponseController(w)
	_ = rc.Flush()
	o := opened{n: n, own: make(chan []byte), ack: make(chan struct{})}
	var ok bool
	if o.res, ok = h2.ResponseOf(w); !ok {
		panic("not a response of this package")
	}
	d.opened <- o
	for {
		select {
		case b := <-o.own:
			_, _ = w.Write(b)
			_ = rc.Flush()
			o.ack <- struct{}{}
		case <-r.Context().Done():
			if d.hold != nil {
				<-d.hold
			}
			return
		}
	}
}

func (o opened) write(b []byte) {
	o.own <- b
	<-o.ack
}

// Bursts to many responses of several connections arrive whole and in order, whoever writes in between.
func TestBurstsArriveInOrder(t *testing.T) {
	const connections, each, rounds = 4, 15, 150
	d := &direct{opened: make(chan opened)}
	addr, _, _ := start(t, d)
	all := make([]opened, connections*each)
	in := make([]io.ReadCloser, len(all))
	clients := make([]*http.Client, connections)
	for i := range clients {
		_, clients[i], _ = start(t, d) // for its client
		for k := range each {
			n := i*each + k
			resp, err := clients[i].Get(fmt.Sprintf("https://%s/?n=%d", addr, n))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			in[n] = resp.Body
			o := <-d.opened
			all[o.n] = o
		}
	}
	r := mrand.New(mrand.NewPCG(5, 6))
	for round := range rounds {
		var readers, others sync.WaitGroup
		for i, c := range clients {
			if r.IntN(3) == 0 {
				others.Go(func() { get(t, c, "https://"+addr+"/") })
			}
			own := all[i*each : (i+1)*each]
			open := own[0].res.Burst().Begin()
			var left []func()
			for _, n := range r.Perm(each)[:1+r.IntN(each)] {
				e := event(r, round)
				if r.IntN(10) == 0 {
					e = append(e, make([]byte, r.IntN(200000))...)
				}
				readers.Go(func() { expect(t, in[i*each+n], e, round, i*each+n) })
				cut := r.IntN(len(e) + 1)
				if !open || own[n].res.Full() || !own[n].res.Add([][]byte{e[:cut], e[cut:]}) {
					left = append(left, func() { own[n].write(e) })
				}
			}
			if open {
				own[0].res.Burst().End()
			}
			for _, f := range left {
				f()
			}
		}
		others.Wait()
		if !ends(&readers) {
			t.Fatalf("round %d: an event does not arrive", round)
		}
	}
}

// A burst to a client that does not read is refused sooner or later, and waits for nothing; what was taken arrives.
func TestBurstsDoNotWaitForTheClient(t *testing.T) {
	d := &direct{opened: make(chan opened)}
	addr, other, _ := start(t, d)
	c := dial(t, addr)
	_ = c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
	_ = c.framer.WriteWindowUpdate(0, 1<<30)
	acknowledged(t, c)
	acknowledged(t, c)
	c.headers(1, true, ":method", "GET", ":scheme", "https", ":path", "/?n=0", ":authority", "x")
	stuck := <-d.opened
	until[*http2.HeadersFrame](t, c)
	resp, err := other.Get("https://" + addr + "/?n=1")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	served := <-d.opened

	event := make([]byte, 50000)
	_, _ = rand.Read(event)
	taken := 0
	for stuck.res.Burst().Begin() {
		for !stuck.res.Full() && stuck.res.Add([][]byte{event}) {
			taken++
		}
		stuck.res.Burst().End()
		if taken > 10000 {
			t.Fatal("the server holds all that a client does not read")
		}
		for patience := time.Now().Add(20 * time.Second); !served.res.Burst().Begin(); runtime.Gosched() {
			if time.Now().After(patience) { // its own frames, as long as they are being sent, come first
				t.Fatal("another connection is not served")
			}
		}
		if !served.res.Add([][]byte{event}) {
			t.Fatal("another response is not served")
		}
		served.res.Burst().End()
		got := make([]byte, len(event))
		if _, err := io.ReadFull(resp.Body, got); err != nil || !bytes.Equal(got, event) {
			t.Fatalf("another client gets something else: %v", err)
		}
	}
	for i := range taken {
		for want := event; len(want) > 0; {
			data := until[*http2.DataFrame](t, c).Data()
			if len(data) > len(want) || !bytes.Equal(data, want[:len(data)]) {
				t.Fatalf("event %d of %d is another", i, taken)
			}
			want = want[len(data):]
		}
	}
}

// The largest burst to a client that has not read the one before ends no connection.
func TestLargeBurstsAreHeld(t *testing.T) {
	d := &direct{opened: make(chan opened)}
	addr, _, _ := start(t, d)
	c := dial(t, addr)
	_ = c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30})
	_ = c.framer.WriteWindowUpdate(0, 1<<30)
	acknowledged(t, c)
	acknowledged(t, c)
	c.headers(1, true, ":method", "GET", ":scheme", "https", ":path", "/?n=0", ":authority", "x")
	o := <-d.opened
	until[*http2.HeadersFrame](t, c)
	body, taken := make([]byte, 131000), 0
	for !o.res.Burst().Begin() {
		// The header is still being written.
	}
	for open := true; open; open = o.res.Burst().Begin() {
		for !o.res.Full() && o.res.Add([][]byte{body}) {
			taken += len(body)
		}
		o.res.Burst().End()
	}
	for taken > 0 {
		taken -= len(until[*http2.DataFrame](t, c).Data())
	}
	if taken < 0 {
		t.Errorf("%d bytes too many", -taken)
	}
}

// What the windows do not allow is not taken, nor anything where the response is over.
func TestBurstsKeepTheWindows(t *testing.T) {
	d := &direct{opened: make(chan opened), hold: make(chan struct{})}
	defer close(d.hold)
	addr, _, _ := start(t, d)
	c := dial(t, addr)
	_ = c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000})
	acknowledged(t, c)
	acknowledged(t, c)
	c.headers(1, true, ":method", "GET", ":scheme", "https", ":path", "/?n=0", ":authority", "x")
	o := <-d.opened
	until[*http2.HeadersFrame](t, c)
	for !o.res.Burst().Begin() {
		// The header is still being written.
	}
	for size, want := range map[int]bool{1001: false, 600: true} {
		if got := o.res.Add([][]byte{make([]byte, size)}); got != want {
			t.Errorf("%d bytes: taken %v", size, got)
		}
	}
	if o.res.Add([][]byte{make([]byte, 401)}) {
		t.Error("more is taken than the window is wide")
	}
	o.res.Burst().End()
	if n := len(until[*http2.DataFrame](t, c).Data()); n != 600 {
		t.Errorf("%d bytes arrived", n)
	}
	_ = c.framer.WriteRSTStream(1, http2.ErrCodeCancel)
	_ = c.framer.WritePing(false, [8]byte{1})
	until[*http2.PingFrame](t, c)
	for !o.res.Burst().Begin() {
		// The answer to the ping is still being written.
	}
	if o.res.Add([][]byte{[]byte("x")}) {
		t.Error("a response is added to that nobody waits for")
	}
	o.res.Burst().End()
}
