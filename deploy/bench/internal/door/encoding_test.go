package door

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/deploy/bench/internal/pods"
)

func TestFrames(t *testing.T) {
	events := [][]byte{[]byte("short"), bytes.Repeat([]byte("long"), 5000), []byte("x")}
	var lines, framed []byte
	for _, e := range events {
		lines = append(append(lines, e...), '\n')
		framed = append(binary.BigEndian.AppendUint32(framed, uint32(len(e))), e...)
	}
	for _, c := range []struct {
		enc    encoding
		stream []byte
	}{{jsonEncoding, lines}, {protobufEncoding, framed}} {
		r := bufio.NewReaderSize(bytes.NewReader(c.stream), 64)
		var buf []byte
		for i, want := range events {
			got, err := c.enc.frame(r, &buf)
			if err != nil || !bytes.Equal(bytes.TrimSuffix(got, []byte("\n")), want) {
				t.Errorf("%s, event %d: %d bytes, %v; want %d bytes", c.enc.name, i, len(got), err, len(want))
			}
		}
		if _, err := c.enc.frame(r, &buf); err != io.EOF {
			t.Errorf("%s: the end reads as %v", c.enc.name, err)
		}
	}
}

func TestEnvelopeHoldsThePod(t *testing.T) {
	body, err := protobufEncoding.pod("bench", 7)
	if err != nil {
		t.Fatal(err)
	}
	pod, err := pods.Message("bench", 7)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := proto.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(body, []byte("k8s\x00\x0a\x09\x0a\x02v1\x12\x03Pod\x12")) || len(body) < len(raw) {
		t.Errorf("the envelope begins with %q", body[:20])
	}
}
