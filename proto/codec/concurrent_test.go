package codec_test

import (
	"sync"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/keelson/keelson/proto/codec"
)

// TestConcurrentCompilation compiles every linked message from several goroutines at once and uses what it gets.
func TestConcurrentCompilation(t *testing.T) {
	var all []protoreflect.MessageDescriptor
	protoregistry.GlobalFiles.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		if p := fd.Package(); p != "keelson.options.v1" && len(p) > 8 && p[:8] == "keelson." {
			for i := range fd.Messages().Len() {
				all = append(all, fd.Messages().Get(i))
			}
		}
		return true
	})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, md := range all {
				if text, err := codec.For(md).AppendJSON(nil, nil, codec.EncodeOptions{}); err != nil || len(text) == 0 {
					t.Errorf("%s: %v %s", md.FullName(), err, text)
				}
			}
		})
	}
	wg.Wait()
}
