package document

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestWrite(t *testing.T) {
	figures := func(w io.Writer) error { _, err := io.WriteString(w, "42\n"); return err }
	for name, c := range map[string]struct {
		old, want string
		missing   bool
		fails     bool
	}{
		"new file":      {missing: true, want: Begin + "\n42\n\n" + End},
		"between marks": {old: "# Title\n" + Begin + "41\n" + End + "tail\n", want: "# Title\n" + Begin + "\n42\n\n" + End + "tail\n"},
		"another file":  {old: "# Title\n", want: "# Title\n", fails: true},
		"wrong order":   {old: End + Begin, want: End + Begin, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "doc.md")
			if !c.missing {
				if err := os.WriteFile(path, []byte(c.old), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := Write(path, figures); (err != nil) != c.fails {
				t.Errorf("error %v", err)
			}
			if got, _ := os.ReadFile(path); string(got) != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
