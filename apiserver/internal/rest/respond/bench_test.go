package respond

import (
	"net/http"
	"os"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/apiserver/internal/rest/media"
	"github.com/keelson/keelson/proto/codec"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/item"
	"github.com/keelson/keelson/proto/schema"
)

// discard is a client that takes everything.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkList writes a list of pods in each of its forms; figures are of the whole list.
func BenchmarkList(b *testing.B) {
	k, _ := schema.Builtin().ByResource("", "", "pods")
	json, err := os.ReadFile("../../../../proto/compat/testdata/pod.json")
	if err != nil {
		b.Fatal(err)
	}
	pod := &corev1.Pod{}
	if _, err := codec.Unmarshal(json, pod, codec.DecodeOptions{}); err != nil {
		b.Fatal(err)
	}
	l := &pipeline.List{Kind: k, Revision: 7}
	for i := range 2000 {
		pod.Metadata.Name = "pod-" + strconv.Itoa(i)
		raw, err := item.Encode(proto.Clone(pod).(*corev1.Pod))
		if err != nil {
			b.Fatal(err)
		}
		it, err := item.New(k, raw, int64(i+1), "n", pod.Metadata.Name)
		if err != nil {
			b.Fatal(err)
		}
		l.Items = append(l.Items, it)
	}
	run := func(name string, accept media.Accepted, f func(w *Writer) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(&Writer{ResponseWriter: discard{http.Header{}}, Accept: accept}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	whole := func(w *Writer) error { return w.List(l) }
	run("JSON", media.Accepted{Format: media.JSON}, whole)
	run("protobuf", media.Accepted{Format: media.Protobuf}, whole)
	run("metadata", media.Accepted{Format: media.JSON, View: media.Metadata, ViewVersion: "v1"}, whole)
	run("table", media.Accepted{Format: media.JSON, View: media.Table, ViewVersion: "v1"}, func(w *Writer) error {
		return w.Table(http.StatusOK, k, l.Items, l, IncludeMetadata)
	})
}
