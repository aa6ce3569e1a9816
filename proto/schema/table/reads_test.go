package table

import (
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keelson/keelson/proto/codec"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/projection"
	"github.com/keelson/keelson/proto/schema/randmsg"
)

// samePart checks that the cells of an object are those of the part of it that they are said to be made of.
func samePart(t *testing.T, k *schema.Kind, obj proto.Message) {
	t.Helper()
	wire, err := proto.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	err = Reads(k).View(wire, func(part proto.Message) {
		if diff := cmp.Diff(Cells(k, obj, now), Cells(k, part, now)); diff != "" {
			t.Fatalf("%s: the whole object -, its part +\n%s\n%v", k.Kind, diff, obj)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

var (
	quoted  = regexp.MustCompile(`"([A-Za-z./-]+)"`)
	printed = regexp.MustCompile(`func \w+Cells\(\w+ \*\w+\.(\w+),`)
)

// The strings of each source file, put into random objects of the kinds that it prints, take all of its branches.
func TestCellsReadWhatTheySay(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		source, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		var words, kinds []string
		for _, m := range quoted.FindAllStringSubmatch(string(source), -1) {
			if !strings.HasPrefix(m[1], "github.com/") {
				words = append(words, m[1])
			}
		}
		for _, m := range printed.FindAllStringSubmatch(string(source), -1) {
			kinds = append(kinds, m[1])
		}
		for _, k := range schema.Builtin().Kinds() {
			for _, name := range kinds {
				if k.Kind == name && Reads(k) != nil {
					tested++
					t.Run(k.Kind, func(t *testing.T) { readsWhatItSays(t, k, words) })
				}
			}
		}
	}
	if tested < 29 {
		t.Errorf("only %d kinds were tested", tested)
	}
}

func readsWhatItSays(t *testing.T, k *schema.Kind, words []string) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 5))
		obj := k.New()
		randmsg.Fill(r, obj.ProtoReflect(), []float64{0.2, 0.5, 0.9}[seed%3], 6)
		few := make([]string, 4) // of one object, so that they come together
		for i := range few {
			few[i] = words[r.IntN(len(words))]
		}
		reword(r, obj.ProtoReflect(), few)
		samePart(t, k, obj)
	}
}

// reword replaces most strings and keys of maps of strings.
func reword(r *rand.Rand, m protoreflect.Message, words []string) {
	word := func() protoreflect.Value { return protoreflect.ValueOfString(words[r.IntN(len(words))]) }
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		text := fd.Kind() == protoreflect.StringKind && r.IntN(4) > 0
		switch {
		case fd.IsMap():
			if fd.MapValue().Kind() == protoreflect.StringKind {
				v.Map().Set(word().MapKey(), word())
			}
		case fd.IsList() && fd.Message() != nil:
			for i := range v.List().Len() {
				reword(r, v.List().Get(i).Message(), words)
			}
		case fd.IsList() && text:
			v.List().Append(word())
		case fd.Message() != nil:
			reword(r, v.Message(), words)
		case text:
			m.Set(fd, word())
		}
		return true
	})
}

// Every kind whose cells are values at paths is read by them.
func TestReadsOfEveryKind(t *testing.T) {
	for _, k := range schema.Builtin().Kinds() {
		for _, path := range reads[k.Descriptor.FullName()] {
			if _, err := projection.Of(k.Descriptor, path); err != nil {
				t.Error(err)
			}
		}
		if Reads(k) == nil {
			continue
		}
		for seed := range uint64(10) {
			obj := k.New()
			randmsg.Fill(rand.New(rand.NewPCG(seed, 2)), obj.ProtoReflect(), float64(seed)/10, 6)
			samePart(t, k, obj)
		}
	}
}

// BenchmarkCells makes a row of a pod as a running cluster has it: of the whole object, and of what the cells read.
func BenchmarkCells(b *testing.B) {
	k, _ := schema.Builtin().ByResource("", "", "pods")
	json, err := os.ReadFile("../../compat/testdata/pod.json")
	if err != nil {
		b.Fatal(err)
	}
	wire, _, err := codec.For(k.Descriptor).ParseJSON(nil, json, codec.DecodeOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("whole", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			obj := k.New()
			if err := proto.Unmarshal(wire, obj); err != nil {
				b.Fatal(err)
			}
			Cells(k, obj, now)
		}
	})
	b.Run("part", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := Reads(k).View(wire, func(obj proto.Message) { Cells(k, obj, now) }); err != nil {
				b.Fatal(err)
			}
		}
	})
}
