// Package comments has the comments of the .proto files, which generated Go code does not keep. `make generate` writes the
// image that is embedded here.
package comments

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

//go:embed api.binpb.gz
var image []byte

// Of returns the comment before a message or field, as one paragraph a block of lines; empty where there is none.
func Of(name protoreflect.FullName) string { return all()[name] }

// The image is read once, when somebody first asks for a document.
var all = sync.OnceValue(func() map[protoreflect.FullName]string {
	out := map[protoreflect.FullName]string{}
	files, err := read()
	if err != nil {
		return out // documents without descriptions serve their purpose; a test guards the image
	}
	files.each(func(d protoreflect.Descriptor, text string) { out[d.FullName()] = text })
	return out
})

type fileSet struct{ files []protoreflect.FileDescriptor }

func read() (*fileSet, error) {
	z, err := gzip.NewReader(bytes.NewReader(image))
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	var set descriptorpb.FileDescriptorSet
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(raw, &set); err != nil {
		return nil, err
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		return nil, err
	}
	out := &fileSet{}
	files.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		out.files = append(out.files, fd)
		return true
	})
	return out, nil
}

func (s *fileSet) each(f func(protoreflect.Descriptor, string)) {
	for _, fd := range s.files {
		messages := fd.Messages()
		for i := range messages.Len() {
			m := messages.Get(i)
			add(fd, m, f)
			fields := m.Fields()
			for j := range fields.Len() {
				add(fd, fields.Get(j), f)
			}
		}
	}
}

func add(fd protoreflect.FileDescriptor, d protoreflect.Descriptor, f func(protoreflect.Descriptor, string)) {
	if text := tidy(fd.SourceLocations().ByDescriptor(d).LeadingComments); text != "" {
		f(d, text)
	}
}

// tidy joins the lines of a paragraph.
func tidy(text string) string {
	var out []string
	for p := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		out = append(out, strings.Join(strings.Fields(p), " "))
	}
	return strings.Join(out, "\n\n")
}
