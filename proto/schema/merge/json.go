package merge

import (
	"encoding/json"
	"errors"
	"fmt"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	kjson "sigs.k8s.io/json"

	"github.com/keelson/keelson/proto/apierrors"
)

// MaxOperations is how many operations a JSON patch may have.
const MaxOperations = 10000

// maxCopied bounds what "copy" operations of one patch may add in all: the size of the biggest request.
const maxCopied = 3 << 20

func init() {
	// The library has this bound only as a variable of its package.
	jsonpatch.AccumulatedCopySizeLimit = maxCopied
}

// JSON applies a JSON patch (RFC 6902) and returns the result; tree is left as it is.
func JSON(tree map[string]any, patch []byte) (map[string]any, error) {
	out, err := applyJSON(tree, patch)
	if errors.Is(err, jsonpatch.ErrTestFailed) {
		err = unprocessable(err) // which names the path
	}
	return out, err
}

// Tested is JSON for a patch whose tests say whether it is to be applied: passed is false, without an error, where one
// of them failed.
func Tested(tree map[string]any, patch []byte) (out map[string]any, passed bool, err error) {
	out, err = applyJSON(tree, patch)
	if errors.Is(err, jsonpatch.ErrTestFailed) {
		return nil, false, nil
	}
	return out, err == nil, err
}

// applyJSON returns the library's own error where a test fails.
func applyJSON(tree map[string]any, patch []byte) (out map[string]any, err error) {
	defer guard(&err)
	ops, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if len(ops) > MaxOperations {
		return nil, apierrors.NewRequestEntityTooLarge(fmt.Sprintf("The allowed maximum operations in a JSON patch is %d, got %d",
			MaxOperations, len(ops)))
	}
	doc, err := json.Marshal(tree)
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	doc, err = ops.Apply(doc)
	switch {
	case errors.Is(err, jsonpatch.ErrTestFailed):
		return nil, err
	case err != nil:
		return nil, unprocessable(err)
	}
	return parse(doc)
}

// Merge applies a JSON merge patch (RFC 7386) and returns the result, which shares parts with tree.
func Merge(tree map[string]any, patch []byte) (map[string]any, error) {
	p, err := parse(patch)
	if err != nil {
		return nil, err
	}
	return mergeMaps(tree, p), nil
}

func mergeMaps(tree, patch map[string]any) map[string]any {
	out := make(map[string]any, len(tree)+len(patch))
	for k, v := range tree {
		out[k] = v
	}
	for k, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(out, k)
		case map[string]any:
			below, _ := out[k].(map[string]any)
			out[k] = mergeMaps(below, v)
		default:
			out[k] = v
		}
	}
	return out
}

// parse reads a JSON object.
func parse(data []byte) (map[string]any, error) {
	var v any
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &v); err != nil {
		return nil, apierrors.NewBadRequest("error decoding patch: " + err.Error())
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, apierrors.NewBadRequest("error decoding patch: it must be a JSON object")
	}
	return m, nil
}
