package pods

import (
	"bytes"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
)

func TestStampInAnyEncoding(t *testing.T) {
	msg, err := Message("bench", 123)
	if err != nil {
		t.Fatal(err)
	}
	wire, err := proto.Marshal(msg)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for name, encoded := range map[string][]byte{"json": JSON("bench", 123), "protobuf": wire} {
		size := len(encoded)
		if !Stamp(encoded, now) {
			t.Fatalf("%s: no mark", name)
		}
		if got, ok := Sent(encoded); !ok || !got.Equal(now) || len(encoded) != size {
			t.Errorf("%s: read %v, %v of %d bytes, want %v of %d", name, got, ok, len(encoded), now, size)
		}
	}
	if err := proto.Unmarshal(wire, msg); err != nil {
		t.Fatal(err)
	}
	if got := msg.Metadata.Annotations[MarkKey]; got != Value(now) {
		t.Errorf("annotation is %q, want %q", got, Value(now))
	}
}

func TestPodHasItsSize(t *testing.T) {
	pod := JSON("bench", 4711)
	if len(pod) < 1850 || len(pod) > 1950 {
		t.Errorf("the pod has %d bytes, not 1.9 KB", len(pod))
	}
	for _, part := range []string{`"name":"bench-004711"`, `"cohort":"cohort-11"`, `"half":"half-1"`, `"namespace":"bench"`} {
		if !bytes.Contains(pod, []byte(part)) {
			t.Errorf("no %s", part)
		}
	}
}

func TestCounterSeesMarksAcrossWrites(t *testing.T) {
	text := bytes.Repeat([]byte("xx"+Value(time.Unix(1, 0))+"y"), 7)
	for chunk := 1; chunk < 40; chunk++ {
		var c Counter
		for rest := text; len(rest) > 0; {
			n := min(chunk, len(rest))
			_, _ = c.Write(rest[:n])
			rest = rest[n:]
		}
		if c.Pods != 7 || c.Bytes != int64(len(text)) {
			t.Errorf("chunks of %d: %d pods, %d bytes; want 7, %d", chunk, c.Pods, c.Bytes, len(text))
		}
	}
}
