package door

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/deploy/bench/internal/pods"
)

// userAgent names the writer; managed fields are kept under it.
const userAgent = "keelson-bench/v1"

// encoding is how objects travel over REST.
type encoding struct {
	name, contentType, watchType string
	// pod encodes the sample pod with an index.
	pod func(namespace string, i int) ([]byte, error)
	// frame reads the next event of a watch, into the buffer where it has to. It is valid until the next call.
	frame func(r *bufio.Reader, buf *[]byte) ([]byte, error)
}

var jsonEncoding = encoding{
	name: "JSON", contentType: "application/json", watchType: "application/json",
	pod:   func(namespace string, i int) ([]byte, error) { return pods.JSON(namespace, i), nil },
	frame: jsonFrame,
}

var protobufEncoding = encoding{
	name: "protobuf", contentType: "application/vnd.kubernetes.protobuf",
	watchType: "application/vnd.kubernetes.protobuf;stream=watch",
	pod: func(namespace string, i int) ([]byte, error) {
		pod, err := pods.Message(namespace, i)
		if err != nil {
			return nil, err
		}
		raw, err := proto.Marshal(pod)
		if err != nil {
			return nil, err
		}
		return envelope("v1", "Pod", raw), nil
	},
	frame: protobufFrame,
}

// envelope wraps an object as Kubernetes does: a prefix, and a message with the type (1) and the bytes (2).
func envelope(apiVersion, kind string, raw []byte) []byte {
	var typeMeta []byte
	typeMeta = protowire.AppendTag(typeMeta, 1, protowire.BytesType)
	typeMeta = protowire.AppendString(typeMeta, apiVersion)
	typeMeta = protowire.AppendTag(typeMeta, 2, protowire.BytesType)
	typeMeta = protowire.AppendString(typeMeta, kind)
	b := []byte("k8s\x00")
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendBytes(b, typeMeta)
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	return protowire.AppendBytes(b, raw)
}

// jsonFrame reads a line.
func jsonFrame(r *bufio.Reader, buf *[]byte) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return line, err
	}
	*buf = append((*buf)[:0], line...)
	for err == bufio.ErrBufferFull {
		line, err = r.ReadSlice('\n')
		*buf = append(*buf, line...)
	}
	return *buf, err
}

// protobufFrame reads four bytes of length and then so many.
func protobufFrame(r *bufio.Reader, buf *[]byte) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	const most = 16 << 20
	n := int(binary.BigEndian.Uint32(head[:]))
	if n > most {
		return nil, fmt.Errorf("a watch event of %d bytes", n)
	}
	*buf = slices.Grow((*buf)[:0], n)[:n]
	_, err := io.ReadFull(r, *buf)
	return *buf, err
}
