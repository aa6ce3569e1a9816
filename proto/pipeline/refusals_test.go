package pipeline_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keelson/keelson/proto/apierrors"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/schema"
)

// refusal is one change to a valid manifest and what Kubernetes 1.37.2 has against it, recorded from the defaults and
// validation of k8s.io/kubernetes.
type refusal struct {
	// Update says that the manifest was stored before and is replaced.
	Update     bool
	Kind, Name string
	// At is a JSON pointer without its first slash.
	At string
	// Value takes the place of what is there; without it, that is removed.
	Value any
	// Refused has the field, the reason and the end of the message of each error.
	Refused [][3]string
}

// What Kubernetes refuses is refused, for the same fields and with the same words.
func TestRefusalsAreThoseOfKubernetes(t *testing.T) {
	manifests := map[[2]string]map[string]any{}
	for m := range records[map[string]any](t, "testdata/manifests.jsonl") {
		manifests[[2]string{m["kind"].(string), m["metadata"].(map[string]any)["name"].(string)}] = m
	}
	h := start(t)
	dry := &resourcev1.WriteOptions{DryRun: true}
	create := func(m map[string]any, o *resourcev1.WriteOptions) error {
		r, body := request(t, m)
		r.Name = ""
		_, err := h.s.Create(h.ctx, &resourcev1.CreateRequest{Ref: r, Object: body, Options: o})
		return err
	}
	for name, m := range manifests {
		if err := create(m, dry); err != nil {
			t.Errorf("%s %s is refused unchanged: %v", name[0], name[1], err)
		}
	}
	for c := range records[refusal](t, "testdata/refusals.jsonl") {
		id := [2]string{c.Kind, c.Name}
		m := changed(t, manifests[id], c.At, c.Value)
		var err error
		if c.Update {
			if err := create(manifests[id], nil); err != nil && !apierrors.IsAlreadyExists(err) {
				t.Fatal(err)
			}
			r, body := request(t, m)
			_, err = h.s.Update(h.ctx, &resourcev1.UpdateRequest{Ref: r, Object: body, Options: dry})
		} else {
			err = create(m, dry)
		}
		got := causesOf(err)
		for _, want := range c.Refused {
			if !slices.ContainsFunc(got, func(g [3]string) bool {
				return g[0] == want[0] && g[1] == want[1] && strings.HasSuffix(g[2], want[2])
			}) {
				t.Errorf("%s %s with %v at %s, update %t: want %q, got %q", c.Kind, c.Name, c.Value, c.At, c.Update, want, err)
			}
		}
	}
}

// request is where a manifest goes, and the manifest.
func request(t *testing.T, m map[string]any) (*resourcev1.ObjectRef, *resourcev1.Object) {
	t.Helper()
	group, version, ok := strings.Cut(m["apiVersion"].(string), "/")
	if !ok {
		group, version = "", group
	}
	k, ok := schema.Builtin().ByKind(group, version, m["kind"].(string))
	if !ok {
		t.Fatalf("no kind %s %s", m["apiVersion"], m["kind"])
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	meta := m["metadata"].(map[string]any)
	r := ref(group, k.Plural, "", meta["name"].(string))
	r.Resource.Version = version
	if ns, ok := meta["namespace"].(string); ok {
		r.Namespace = ns
	} else if k.Namespaced {
		r.Namespace = "default"
	}
	return r, text(string(b))
}

// causesOf are the field, the reason and the message of an error's causes.
func causesOf(err error) (out [][3]string) {
	var status *apierrors.StatusError
	if !errors.As(err, &status) {
		return nil
	}
	for _, c := range status.Status.GetDetails().GetCauses() {
		out = append(out, [3]string{c.GetField(), c.GetReason(), c.GetMessage()})
	}
	return out
}

// changed is a deep copy with a value set, or removed where it is nil.
func changed(t *testing.T, m map[string]any, at string, value any) map[string]any {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(b, &root); err != nil {
		t.Fatal(err)
	}
	keys := strings.Split(at, "/")
	var parent any = root
	for i, key := range keys {
		key = strings.NewReplacer("~1", "/", "~0", "~").Replace(key)
		last := i == len(keys)-1
		switch p := parent.(type) {
		case map[string]any:
			switch {
			case !last:
				parent = p[key]
			case value == nil:
				delete(p, key)
			default:
				p[key] = value
			}
		case []any:
			n, err := strconv.Atoi(key)
			if err != nil || n >= len(p) {
				t.Fatalf("no element %s of %s", key, at)
			}
			if last {
				p[n] = value
			} else {
				parent = p[n]
			}
		default:
			t.Fatalf("nothing at %s", at)
		}
	}
	return root
}

// records reads a file of one JSON value a line.
func records[T any](t *testing.T, file string) func(func(T) bool) {
	return func(yield func(T) bool) {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		in := bufio.NewScanner(f)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			var v T
			if err := json.Unmarshal(in.Bytes(), &v); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if !yield(v) {
				return
			}
		}
		if err := in.Err(); err != nil {
			t.Fatal(err)
		}
	}
}
