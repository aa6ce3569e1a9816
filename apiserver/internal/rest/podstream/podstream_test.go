package podstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/moby/spdystream"

	"github.com/keelson/keelson/apiserver/internal/rest/podstream/spdy"
	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
)

// kubeletSide is the node's end of a session in these tests.
type kubeletSide struct {
	op       *tunnelv1.ConnectResponse
	toUser   chan *tunnelv1.SessionRequest
	fromUser chan *tunnelv1.SessionResponse
	ctx      context.Context
	cancel   context.CancelFunc
}

func (k *kubeletSide) Recv() (*tunnelv1.SessionRequest, error) {
	select {
	case m, ok := <-k.toUser:
		if !ok {
			return nil, io.EOF
		}
		return m, nil
	case <-k.ctx.Done():
		return nil, k.ctx.Err()
	}
}

func (k *kubeletSide) Send(m *tunnelv1.SessionResponse) error {
	select {
	case k.fromUser <- m:
		return nil
	case <-k.ctx.Done():
		return k.ctx.Err()
	}
}

func (k *kubeletSide) Close() { k.cancel() }

func (k *kubeletSide) data(ch tunnelv1.Channel, s string) {
	k.put(&tunnelv1.SessionRequest{Frame: &tunnelv1.SessionRequest_Data{Data: &tunnelv1.Data{Channel: ch, Payload: []byte(s)}}})
}

func (k *kubeletSide) exit(e *tunnelv1.Exit) {
	k.put(&tunnelv1.SessionRequest{Frame: &tunnelv1.SessionRequest_Exit{Exit: e}})
}

func (k *kubeletSide) put(m *tunnelv1.SessionRequest) {
	select {
	case k.toUser <- m:
	case <-k.ctx.Done():
	}
}

// stdin reads the user's input to its end.
func (k *kubeletSide) stdin() string {
	var b strings.Builder
	for {
		select {
		case m := <-k.fromUser:
			b.Write(m.GetData().GetPayload())
			if m.GetData().GetEnd() {
				return b.String()
			}
		case <-k.ctx.Done():
			return b.String()
		}
	}
}

// serve starts a server whose node behaves as kubelet says.
func serve(t *testing.T, kubelet func(*kubeletSide)) *httptest.Server {
	t.Helper()
	pod := &corev1.Pod{Metadata: &metav1.ObjectMeta{Name: "p", Namespace: "ns", Uid: "u"},
		Spec: &corev1.PodSpec{NodeName: "n1", Containers: []*corev1.Container{{Name: "c"}}}}
	h := New(Config{
		Pod: func(context.Context, string, string) (*corev1.Pod, error) { return pod, nil },
		Open: func(ctx context.Context, node string, op *tunnelv1.ConnectResponse) (Session, error) {
			ctx, cancel := context.WithCancel(ctx)
			k := &kubeletSide{op: op, toUser: make(chan *tunnelv1.SessionRequest), fromUser: make(chan *tunnelv1.SessionResponse), ctx: ctx, cancel: cancel}
			go kubelet(k)
			return k, nil
		},
	})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h.Serve(w, r, "ns", "p", strings.TrimPrefix(r.URL.Path, "/")); err != nil {
			s := apierrors.FromError(err)
			http.Error(w, s.GetMessage(), int(s.GetCode()))
		}
	}))
	t.Cleanup(srv.Close)
	return srv
}

func TestExecWebSocket(t *testing.T) {
	for _, protocol := range []string{"v5.channel.k8s.io", "v4.channel.k8s.io"} {
		t.Run(protocol, func(t *testing.T) {
			srv := serve(t, func(k *kubeletSide) {
				k.data(tunnelv1.Channel_CHANNEL_STDOUT, strings.Join(k.op.GetExec().GetCommand(), " ")+"\n")
				k.data(tunnelv1.Channel_CHANNEL_STDERR, "oops")
				if protocol == "v5.channel.k8s.io" {
					k.data(tunnelv1.Channel_CHANNEL_STDOUT, k.stdin())
				}
				k.exit(&tunnelv1.Exit{Code: 3})
			})
			d := websocket.Dialer{Subprotocols: []string{protocol}}
			ws, _, err := d.Dial("ws"+strings.TrimPrefix(srv.URL, "http")+"/exec?command=cat&command=-&stdin=1&stdout=1&stderr=1", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer ws.Close()
			if protocol == "v5.channel.k8s.io" {
				for _, m := range [][]byte{append([]byte{0}, "hello"...), {255, 0}} {
					if err := ws.WriteMessage(websocket.BinaryMessage, m); err != nil {
						t.Fatal(err)
					}
				}
			}
			got := map[byte]string{}
			for {
				_, m, err := ws.ReadMessage()
				if err != nil {
					break
				}
				got[m[0]] += string(m[1:])
			}
			want := "cat -\n"
			if protocol == "v5.channel.k8s.io" {
				want += "hello"
			}
			if got[1] != want || got[2] != "oops" {
				t.Errorf("stdout %q stderr %q", got[1], got[2])
			}
			checkExit(t, []byte(got[3]), "3")
		})
	}
}

func checkExit(t *testing.T, b []byte, code string) {
	t.Helper()
	var status struct {
		Status, Reason string
		Details        struct {
			Causes []struct{ Reason, Message string }
		}
	}
	if err := json.Unmarshal(b, &status); err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	if status.Reason != "NonZeroExitCode" || status.Details.Causes[0].Reason != "ExitCode" || status.Details.Causes[0].Message != code {
		t.Errorf("status %s", b)
	}
}

// dialSPDY is the client's half of an upgrade.
func dialSPDY(t *testing.T, srv *httptest.Server, path string, protocol string) *spdystream.Connection {
	t.Helper()
	return startSPDY(t, upgradeToSPDY(t, srv, path, protocol))
}

func upgradeToSPDY(t *testing.T, srv *httptest.Server, path string, protocol string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: %s\r\nContent-Length: 0\r\n\r\n", path, protocol)
	var head bytes.Buffer
	one := make([]byte, 1)
	for !bytes.HasSuffix(head.Bytes(), []byte("\r\n\r\n")) {
		if _, err := conn.Read(one); err != nil {
			t.Fatal(err)
		}
		head.Write(one)
	}
	if !strings.HasPrefix(head.String(), "HTTP/1.1 101 ") || !strings.Contains(head.String(), "X-Stream-Protocol-Version: "+protocol) {
		t.Fatalf("answer: %s", head.String())
	}
	return conn
}

// A client that ends without a word of SPDY, or says what is none, leaves no connection behind.
func TestSPDYEnds(t *testing.T) {
	for path, protocol := range map[string]string{"/exec?command=x&stdout=1": "v4.channel.k8s.io", "/portforward": forwardProtocol} {
		for _, last := range []string{"", "\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x00"} {
			srv := serve(t, func(*kubeletSide) {})
			conn := upgradeToSPDY(t, srv, path, protocol)
			if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, last); err != nil {
				t.Fatal(err)
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(conn); err != nil {
				t.Errorf("%s after %q: %v", path, last, err)
			}
			_ = conn.Close()
		}
	}
}

func startSPDY(t *testing.T, conn net.Conn) *spdystream.Connection {
	t.Helper()
	c, err := spdystream.NewConnection(conn, false)
	if err != nil {
		t.Fatal(err)
	}
	go c.Serve(spdystream.NoOpStreamHandler)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func openStream(t *testing.T, c *spdystream.Connection, header ...string) *spdystream.Stream {
	t.Helper()
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	s, err := c.CreateStream(h, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.WaitTimeout(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestExecSPDY(t *testing.T) {
	srv := serve(t, func(k *kubeletSide) {
		in := k.stdin()
		k.data(tunnelv1.Channel_CHANNEL_STDOUT, strings.ToUpper(in))
		k.exit(&tunnelv1.Exit{Code: 7})
	})
	c := dialSPDY(t, srv, "/exec?command=x&stdin=1&stdout=1&stderr=1", "v4.channel.k8s.io")
	errs := openStream(t, c, "streamType", "error")
	stdin := openStream(t, c, "streamType", "stdin")
	stdout := openStream(t, c, "streamType", "stdout")
	openStream(t, c, "streamType", "stderr")
	if _, err := stdin.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(stdout); err != nil || string(b) != "ABC" {
		t.Errorf("stdout %q %v", b, err)
	}
	b, err := io.ReadAll(errs)
	if err != nil {
		t.Fatal(err)
	}
	checkExit(t, b, "7")
}

func TestTerminalSizes(t *testing.T) {
	sizes := make(chan *tunnelv1.Resize, 2)
	srv := serve(t, func(k *kubeletSide) {
		for range 2 {
			m := <-k.fromUser
			sizes <- m.GetResize()
		}
		k.exit(&tunnelv1.Exit{})
	})
	d := websocket.Dialer{Subprotocols: []string{"v5.channel.k8s.io"}}
	ws, _, err := d.Dial("ws"+strings.TrimPrefix(srv.URL, "http")+"/exec?command=sh&tty=1&stdout=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	for _, s := range []string{`{"Width":80,"Height":24}`, `{"Width":100,"Height":30}`} {
		if err := ws.WriteMessage(websocket.BinaryMessage, append([]byte{4}, s...)); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := <-sizes, <-sizes; a.GetWidth() != 80 || b.GetHeight() != 30 {
		t.Errorf("sizes %v %v", a, b)
	}
	_, m, err := ws.ReadMessage()
	if err != nil || m[0] != 3 || !bytes.Contains(m, []byte(`"Success"`)) {
		t.Errorf("outcome %q %v", m, err)
	}
}

// A user who goes away ends the session although the process says nothing.
func TestUserGone(t *testing.T) {
	ended := make(chan struct{})
	srv := serve(t, func(k *kubeletSide) {
		<-k.ctx.Done()
		close(ended)
	})
	ws, _, err := (&websocket.Dialer{Subprotocols: []string{"v5.channel.k8s.io"}}).Dial("ws"+strings.TrimPrefix(srv.URL, "http")+"/exec?command=sleep&stdout=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = ws.Close()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the session goes on")
	}
}

func TestLog(t *testing.T) {
	srv := serve(t, func(k *kubeletSide) {
		o := k.op.GetLog()
		switch {
		case o.GetPrevious():
			k.exit(&tunnelv1.Exit{Error: `previous terminated container "c" in pod "p" not found`, Reason: "BadRequest"})
		default:
			k.data(tunnelv1.Channel_CHANNEL_STDOUT, fmt.Sprintf("tail %d\n", o.GetTailLines()))
			k.exit(&tunnelv1.Exit{})
		}
	})
	for _, tt := range []struct {
		query, want string
		code        int
	}{
		{"?tailLines=5", "tail 5\n", 200},
		{"?previous=true", `previous terminated container "c" in pod "p" not found` + "\n", 400},
		{"?container=x", "container x is not valid for pod p\n", 400},
		{"?tailLines=-1", `PodLogOptions "p" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0` + "\n", 422},
		{"?limitBytes=0&sinceSeconds=0", `PodLogOptions "p" is invalid: [limitBytes: Invalid value: 0: must be greater than 0, sinceSeconds: Invalid value: 0: must be greater than 0]` + "\n", 422},
	} {
		resp, err := http.Get(srv.URL + "/log" + tt.query)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(b) != tt.want || resp.StatusCode != tt.code {
			t.Errorf("%s: %d %q %v", tt.query, resp.StatusCode, b, err)
		}
	}
}

func TestPortForward(t *testing.T) {
	echo := func(k *kubeletSide) {
		if k.op.GetPortForward().GetPort() == 99 {
			k.exit(&tunnelv1.Exit{Error: "connect: connection refused"})
			return
		}
		for {
			select {
			case m := <-k.fromUser:
				if m.GetData().GetEnd() {
					k.exit(&tunnelv1.Exit{})
					return
				}
				k.data(tunnelv1.Channel_CHANNEL_STDOUT, string(m.GetData().GetPayload()))
			case <-k.ctx.Done():
				return
			}
		}
	}
	dial := map[string]func(*testing.T, *httptest.Server) *spdystream.Connection{
		"SPDY": func(t *testing.T, srv *httptest.Server) *spdystream.Connection {
			return dialSPDY(t, srv, "/portforward", forwardProtocol)
		},
		"WebSocket": func(t *testing.T, srv *httptest.Server) *spdystream.Connection {
			ws, _, err := (&websocket.Dialer{Subprotocols: []string{spdy.TunnelPrefix + forwardProtocol}}).Dial("ws"+strings.TrimPrefix(srv.URL, "http")+"/portforward", nil)
			if err != nil {
				t.Fatal(err)
			}
			return startSPDY(t, spdy.WebSocketConn(ws))
		},
	}
	for name, dial := range dial {
		t.Run(name, func(t *testing.T) {
			c := dial(t, serve(t, echo))
			errs := openStream(t, c, "streamType", "error", "port", "80", "requestID", "0")
			data := openStream(t, c, "streamType", "data", "port", "80", "requestID", "0")
			if _, err := data.Write([]byte("ping")); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 4)
			if _, err := io.ReadFull(data, buf); err != nil || string(buf) != "ping" {
				t.Fatalf("%q %v", buf, err)
			}
			if err := data.Close(); err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(errs); err != nil || len(b) > 0 {
				t.Errorf("error stream: %q %v", b, err)
			}
			errs = openStream(t, c, "streamType", "error", "port", "99", "requestID", "1")
			openStream(t, c, "streamType", "data", "port", "99", "requestID", "1")
			b, err := io.ReadAll(errs)
			if err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			if !strings.Contains(string(b), "connection refused") {
				t.Errorf("error stream: %q", b)
			}
		})
	}
}
