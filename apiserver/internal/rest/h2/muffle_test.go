package h2

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func send(t *testing.T, c net.Conn, n int) {
	t.Helper()
	if _, err := c.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
}

// come waits until so many bytes are there to be read.
func come(t *testing.T, g *gate, n int) {
	t.Helper()
	for got := 0; got < n; {
		if !g.control(func(fd int) (err error) { got, err = unix.IoctlGetInt(fd, unix.SIOCINQ); return err }) {
			t.Fatal("the connection is closed")
		}
	}
}

// read reads what there is, and waits for it.
func read(t *testing.T, g *gate) int {
	t.Helper()
	n, err := g.Read(make([]byte, 4096))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const answer = 48

// proven is a gate that knows how long its client's answers are.
func proven(t *testing.T, m *muffler) (*gate, net.Conn) {
	g, c := pair(t)
	for range proofs {
		g.sending(true, m)
		send(t, c, answer)
		if n := read(t, g); n != answer {
			t.Fatalf("read %d bytes", n)
		}
	}
	return g, c
}

// readable tells whether a reader that waits is woken.
func readable(t *testing.T, g *gate) bool {
	t.Helper()
	n := 0
	if !g.control(func(fd int) (err error) {
		n, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return err
	}) {
		t.Fatal("the connection is closed")
	}
	return n > 0
}

// A reader sleeps through the answers that are expected, and wakes when more comes, or when they are many.
func TestReadersSleepThroughAnswers(t *testing.T) {
	m := muffler{after: time.Hour}
	g, c := proven(t, &m)
	for i := range 3 {
		g.sending(true, &m)
		send(t, c, answer)
		come(t, g, (i+1)*answer)
		if readable(t, g) {
			t.Fatalf("answer %d wakes the reader", i)
		}
		g.look() // what was due has come
	}
	send(t, c, 1)
	come(t, g, 3*answer+1)
	if !readable(t, g) {
		t.Error("more than the answers does not wake the reader")
	}
	if n := read(t, g); n != 3*answer+1 {
		t.Errorf("read %d bytes", n)
	}
	for range maxAnswers {
		g.sending(true, &m)
		send(t, c, answer)
	}
	come(t, g, maxAnswers*answer)
	if readable(t, g) {
		t.Error("the reader is woken too soon")
	}
	g.sending(true, &m)
	if !readable(t, g) {
		t.Error("many answers do not wake the reader")
	}
	read(t, g)
	// What is not known to be answered in the same way is read as it comes.
	g.sending(true, &m)
	g.sending(false, &m)
	send(t, c, 1)
	come(t, g, 1)
	if !readable(t, g) {
		t.Error("the answer to something else does not wake the reader")
	}
}

// It does not sleep through the end.
func TestReadersWakeForTheEnd(t *testing.T) {
	m := muffler{after: time.Hour}
	g, c := proven(t, &m)
	g.sending(true, &m)
	if !g.answers.muffled {
		t.Fatal("the reader does not sleep")
	}
	woken := make(chan error)
	go func() {
		_, err := g.Read(make([]byte, 1))
		woken <- err
	}()
	c.Close()
	if err := <-woken; err == nil {
		t.Error("no end")
	}
}

// Where an answer is not what was expected, the muffler wakes the reader, and does not trust the client any more.
func TestGuessesThatAreWrong(t *testing.T) {
	m := muffler{after: muffledFor}
	g, c := proven(t, &m)
	woken := make(chan int)
	go func() {
		n, _ := g.Read(make([]byte, 4096))
		woken <- n
	}()
	g.sending(true, &m)
	g.sending(true, &m)
	send(t, c, answer-8)
	if n := <-woken; n != answer-8 {
		t.Errorf("read %d bytes", n)
	}

	never := muffler{after: time.Hour}
	g, c = proven(t, &never)
	g.sending(true, &never)
	send(t, c, answer-8)
	come(t, g, answer-8)
	if g.look() || g.answers.muffled || g.answers.proofs != 0 {
		t.Errorf("the next answers: %+v", g.answers)
	}
}
