package podstream

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
)

func TestPortForwardChannels(t *testing.T) {
	srv := serve(t, func(k *kubeletSide) {
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
	})
	url := "ws" + strings.TrimPrefix(srv.URL, "http") + "/portforward"
	for _, protocol := range []string{channelBinary, channelBase64} {
		t.Run(protocol, func(t *testing.T) {
			ws, _, err := (&websocket.Dialer{Subprotocols: []string{protocol}}).Dial(url+"?ports=8080&ports=99", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer ws.Close()
			text := protocol == channelBase64
			// What came on each channel so far.
			var got [4]string
			until := func(channel int, want string) {
				t.Helper()
				for !strings.Contains(got[channel], want) {
					_, m, err := ws.ReadMessage()
					if err != nil {
						t.Fatalf("%v, after %q", err, got)
					}
					n, payload := m[0], m[1:]
					if text {
						n -= '0'
						if payload, err = base64.StdEncoding.DecodeString(string(payload)); err != nil {
							t.Fatal(err)
						}
					}
					got[n] += string(payload)
				}
			}
			until(0, "\x90\x1f")
			until(1, "\x90\x1f")
			until(2, "\x63\x00")
			until(3, "\x63\x00")
			until(3, "an error occurred forwarding 99 -> 99: connect: connection refused")
			message := append([]byte{0}, "ping"...)
			if text {
				message = append([]byte("0"), base64.StdEncoding.EncodeToString([]byte("ping"))...)
			}
			if err := ws.WriteMessage(websocket.BinaryMessage, message); err != nil {
				t.Fatal(err)
			}
			until(0, "\x90\x1fping")
		})
	}
	for query, want := range map[string]string{"": `query parameter "ports" is required`, "?ports=x": `unable to parse "x" as a port`, "?ports=1,2,3,4,5,6": "at most 5 ports"} {
		_, resp, err := (&websocket.Dialer{Subprotocols: []string{channelBinary}}).Dial(url+query, nil)
		if err == nil {
			t.Fatalf("%s was accepted", query)
		}
		b, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(b), want) {
			t.Errorf("%s: %d %s", query, resp.StatusCode, b)
		}
	}
}
