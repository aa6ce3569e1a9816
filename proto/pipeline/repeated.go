package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/codec"
	"github.com/keelson/keelson/proto/schema"
)

// maxRepeated is how many repeated keys of a patch are told.
const maxRepeated = 100

// fromPatched reads what a patch makes of an object. Under a validation that looks for them, keys that the patch itself has
// twice are problems like unknown fields.
func (r *request) fromPatched(k *schema.Kind, patch []byte, tree map[string]any, obj proto.Message) error {
	var nodes codec.Nodes
	if r.validation == codec.Ignore {
		return r.fromTree(k, tree, obj)
	}
	if _, err := nodes.Parse(patch); err != nil || !nodes.Repeats() {
		return r.fromTree(k, tree, obj) // what is no JSON was refused before
	}
	asked := r.validation
	r.validation = codec.Warn
	err := r.fromTree(k, tree, obj)
	r.validation = asked
	if err != nil {
		return err
	}
	problems := append(repeated(patch), r.warnings...)
	if asked == codec.Strict {
		return fmt.Errorf("strict decoding error: %s", strings.Join(problems, ", "))
	}
	r.warnings = problems
	return nil
}

// repeated returns the keys that objects of a document have more than once.
func repeated(document []byte) (out []string) {
	in := json.NewDecoder(bytes.NewReader(document))
	in.UseNumber()
	var value func(path string)
	value = func(path string) {
		token, err := in.Token()
		if err != nil {
			return
		}
		switch token {
		case json.Delim('{'):
			seen := map[string]bool{}
			for in.More() {
				key, err := in.Token()
				name, ok := key.(string)
				if err != nil || !ok {
					return
				}
				at := strings.TrimPrefix(path+"."+name, ".")
				if seen[name] && len(out) < maxRepeated {
					out = append(out, fmt.Sprintf("duplicate field %q", at))
				}
				seen[name] = true
				value(at)
			}
		case json.Delim('['):
			for i := 0; in.More(); i++ {
				value(fmt.Sprintf("%s[%d]", path, i))
			}
		default:
			return
		}
		_, _ = in.Token() // the end of the object or list
	}
	value("")
	return out
}
