package library

import (
	"strings"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

var pointerEscape = strings.NewReplacer("/", "~1", "~", "~0")

func patchFunctions() functions {
	return functions{"jsonpatch.escapeKey": {global("string_jsonpatch_escapeKey_string", args(celgo.StringType), celgo.StringType,
		unary(func(s string) ref.Val { return types.String(pointerEscape.Replace(s)) }))}}
}
