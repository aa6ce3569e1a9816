package rest

import (
	"encoding/json"
	"strings"
	"testing"
)

// table is what tests look at in a Table.
type table struct {
	Kind, APIVersion  string
	Metadata          struct{ ResourceVersion, Continue string }
	ColumnDefinitions []struct{ Name, Type, Format string }
	Rows              []struct {
		Cells  []any
		Object map[string]any
	}
}

const acceptTable = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

func decodeTable(t *testing.T, b []byte) table {
	t.Helper()
	var out table
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	if out.Kind != "Table" || out.APIVersion != "meta.k8s.io/v1" {
		t.Fatalf("not a table: %s", b)
	}
	return out
}

func TestTables(t *testing.T) {
	srv := start(t)
	if a := do(t, srv, "POST", configMaps, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c","labels":{"a":"b"}},"data":{"x":"<y>","z":""}}`); a.StatusCode != 201 {
		t.Fatal(a.body)
	}
	list := decodeTable(t, []byte(do(t, srv, "GET", configMaps, "", "Accept", acceptTable).body))
	if len(list.Rows) != 1 || list.Rows[0].Cells[0] != "c" || list.Rows[0].Cells[1] != float64(2) || list.ColumnDefinitions[1].Name != "Data" || list.Metadata.ResourceVersion == "" {
		t.Errorf("list: %+v", list)
	}
	for include, kind := range map[string]any{"": "PartialObjectMetadata", "Metadata": "PartialObjectMetadata", "Object": "ConfigMap", "None": nil} {
		one := decodeTable(t, []byte(do(t, srv, "GET", configMaps+"/c?includeObject="+include, "", "Accept", acceptTable).body))
		if got := one.Rows[0].Object["kind"]; got != kind {
			t.Errorf("includeObject=%s: %v", include, got)
		}
	}
	if a := do(t, srv, "GET", configMaps+"?includeObject=Some", "", "Accept", acceptTable); a.StatusCode != 400 {
		t.Errorf("includeObject=Some: %d %s", a.StatusCode, a.body)
	}
	// An empty list has its columns, or kubectl could not print a header.
	empty := decodeTable(t, []byte(do(t, srv, "GET", "/api/v1/namespaces/kube-public/configmaps", "", "Accept", acceptTable).body))
	if len(empty.Rows) != 0 || len(empty.ColumnDefinitions) == 0 {
		t.Errorf("empty: %+v", empty)
	}
}

// A watched table has its columns once, then rows only; bookmarks carry a resource version.
func TestWatchedTable(t *testing.T) {
	srv := start(t)
	a := do(t, srv, "GET", "/api/v1/namespaces?watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", "", "Accept", acceptTable)
	lines := strings.Split(strings.TrimSpace(a.body), "\n")
	if len(lines) < 5 {
		t.Fatalf("%d events: %s", len(lines), a.body)
	}
	for i, line := range lines {
		var ev struct {
			Type   string
			Object json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			t.Fatal(err)
		}
		o := decodeTable(t, ev.Object)
		if titled := len(o.ColumnDefinitions) > 0; titled != (i == 0) {
			t.Errorf("event %d: columns %v", i, titled)
		}
		if ev.Type == "BOOKMARK" && o.Rows[0].Object["metadata"].(map[string]any)["resourceVersion"] == "" {
			t.Errorf("bookmark: %s", line)
		}
	}
}
