package schema_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/keelson/keelson/proto/schema"
)

var update = flag.Bool("update", false, "write docs/unsupported.md instead of comparing it")

const document = "../../docs/unsupported.md"

// The list in the documentation is what the options say.
func TestDocumentOfUnsupportedFields(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Fields and kinds that are not supported yet\n\n" +
		"Written by `go test ./schema -run Unsupported -update` in `proto/` from the options of the .proto files.\n\n" +
		"## Fields\n\nA manifest that sets one of these is refused, with the path of the field.\n\n| message | field | why |\n| --- | --- | --- |\n")
	for _, f := range schema.Builtin().Unsupported() {
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", f.Message, f.Field, f.Reason)
	}
	b.WriteString("\nRefused by their value: `hostUsers: false`, `os.name: windows`, `recursiveReadOnly: Enabled`, an `emptyDir` on huge pages.\n" +
		"\n## Kinds\n\nTheir types are complete, and they are not served yet.\n\n| group | kind |\n| --- | --- |\n")
	for _, k := range schema.Builtin().Kinds() {
		if !k.Served {
			fmt.Fprintf(&b, "| %s | %s |\n", k.APIVersion(), k.Kind)
		}
	}
	if *update {
		if err := os.WriteFile(document, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Error("docs/unsupported.md is stale: run this test with -update")
	}
}
