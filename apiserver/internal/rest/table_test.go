package rest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// table is what tests look at in a Table.
type table struct {
	Kind, APIVersion  string
	Metadata          struct{ ResourceVersion, Continue string }
	ColumnDefinitions []struct{ Name, Type, Format string }
	Rows              []struct {
		Cells      []any
		Conditions []map[string]string
		Object     map[string]any
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

// Lists say which class is the default one and in what order flow schemas are asked; the row of a pod that is over says so.
func TestRowsOfLists(t *testing.T) {
	srv := start(t)
	classes := "/apis/storage.k8s.io/v1/storageclasses"
	for _, name := range []string{"a", "b"} {
		mark := fmt.Sprintf(`{"storageclass.kubernetes.io/is-default-class":"%t"}`, name == "b")
		if a := do(t, srv, "POST", classes, `{"metadata":{"name":"`+name+`","annotations":`+mark+`},"provisioner":"p"}`); a.StatusCode != 201 {
			t.Fatal(a.body)
		}
	}
	list := decodeTable(t, []byte(do(t, srv, "GET", classes, "", "Accept", acceptTable).body))
	if list.Rows[0].Cells[0] != "a" || list.Rows[1].Cells[0] != "b (default)" {
		t.Errorf("classes: %+v", list.Rows)
	}
	if one := decodeTable(t, []byte(do(t, srv, "GET", classes+"/b", "", "Accept", acceptTable).body)); one.Rows[0].Cells[0] != "b" {
		t.Errorf("one class: %+v", one.Rows)
	}
	flows := "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"
	for i, name := range []string{"y", "z"} {
		spec := fmt.Sprintf(`{"matchingPrecedence":%d,"priorityLevelConfiguration":{"name":"p"}}`, 20-i)
		if a := do(t, srv, "POST", flows, `{"metadata":{"name":"`+name+`"},"spec":`+spec+`}`); a.StatusCode != 201 {
			t.Fatal(a.body)
		}
	}
	last := 0.0
	for _, r := range decodeTable(t, []byte(do(t, srv, "GET", flows, "", "Accept", acceptTable).body)).Rows {
		if r.Cells[2].(float64) < last {
			t.Errorf("%v comes after %v", r.Cells, last)
		}
		last = r.Cells[2].(float64)
	}
	if a := do(t, srv, "POST", "/api/v1/namespaces/default/serviceaccounts", `{"metadata":{"name":"default"}}`); a.StatusCode != 201 {
		t.Fatal(a.body)
	}
	pods := "/api/v1/namespaces/default/pods"
	if a := do(t, srv, "POST", pods, `{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}}`); a.StatusCode != 201 {
		t.Fatal(a.body)
	}
	if a := do(t, srv, "PATCH", pods+"/p/status", `{"status":{"phase":"Succeeded"}}`, "Content-Type", "application/merge-patch+json"); a.StatusCode != 200 {
		t.Fatal(a.body)
	}
	pod := decodeTable(t, []byte(do(t, srv, "GET", pods, "", "Accept", acceptTable).body))
	if c := pod.Rows[0].Conditions; len(c) != 1 || c[0]["type"] != "Completed" || c[0]["reason"] != "Succeeded" {
		t.Errorf("conditions: %v", c)
	}
}
