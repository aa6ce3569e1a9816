package conformance

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/sdk/client"
)

// here selects the behaviour's own namespace, and not what the cluster puts into each.
func (e *env) here() client.ListOptions {
	return client.ListOptions{Namespace: e.ns, FieldSelector: "metadata.name!=kube-root-ca.crt"}
}

func (e *env) list(o client.ListOptions) ([]*corev1.ConfigMap, int64) {
	e.Helper()
	items, revision, err := e.maps.List(e.ctx, o)
	if err != nil {
		e.Fatal(err)
	}
	return items, revision
}

var list = group{"list", []behaviour{
	{"ordered by name, at a revision", func(e *env) {
		var last int64
		for _, n := range []string{"c", "a", "b"} {
			last = client.Revision(e.put(e.configMap(n)))
		}
		items, revision := e.list(e.here())
		if names(items) != "a b c" || revision < last {
			e.Errorf("%q at %d, last write at %d", names(items), revision, last)
		}
		for _, m := range items {
			if got := must(e.maps.Get(e.ctx, e.ns, m.Metadata.Name))(e); client.Revision(got) != client.Revision(m) {
				e.Errorf("%s: listed at %d, read at %d", m.Metadata.Name, client.Revision(m), client.Revision(got))
			}
		}
	}},
	{"empty", func(e *env) {
		o := e.here()
		o.LabelSelector = "nobody=has-this"
		if items, revision := e.list(o); len(items) != 0 || revision == 0 {
			e.Errorf("%d items at %d", len(items), revision)
		}
	}},
	{"over all namespaces", func(e *env) {
		e.put(e.labelled("a", "group", e.ns))
		if items, _ := e.list(client.ListOptions{LabelSelector: "group=" + e.ns}); names(items) != "a" {
			e.Errorf("%q", names(items))
		}
	}},
	{"shows one's own last write", func(e *env) {
		for i := range 50 {
			name := fmt.Sprintf("m-%02d", i)
			e.put(e.configMap(name))
			items, _ := e.list(e.here())
			if len(items) != i+1 || items[i].Metadata.Name != name {
				e.Fatalf("after %d creations: %s", i+1, names(items))
			}
		}
	}},
	{"in pages of one revision", func(e *env) {
		for i := range 25 {
			e.put(e.configMap(fmt.Sprintf("m-%02d", i)))
		}
		o := e.here()
		o.FieldSelector, o.Limit = "", 10
		first := must(e.maps.ListPage(e.ctx, o))(e)
		if len(first.Items) != 10 || first.Continue == "" || first.Remaining == nil || *first.Remaining < 15 {
			e.Fatalf("first page: %d items, continue %q, remaining %v", len(first.Items), first.Continue, first.Remaining)
		}
		// Changes after the first page are not seen by the next ones.
		must(0, e.maps.Delete(e.ctx, e.ns, "m-20"))(e)
		e.put(e.configMap("m-11-new"))
		all := first.Items
		for o.Continue = first.Continue; o.Continue != ""; {
			p := must(e.maps.ListPage(e.ctx, o))(e)
			if p.Revision != first.Revision {
				e.Errorf("page at %d, the first was at %d", p.Revision, first.Revision)
			}
			all, o.Continue = append(all, p.Items...), p.Continue
		}
		got := strings.ReplaceAll(names(all)+" ", "kube-root-ca.crt ", "")
		want := ""
		for i := range 25 {
			want += fmt.Sprintf("m-%02d ", i)
		}
		if got != want {
			e.Errorf("pages hold %s", got)
		}
	}},
	{"a page that holds all has no next", func(e *env) {
		e.put(e.labelled("a", "page", "one"))
		p := must(e.maps.ListPage(e.ctx, client.ListOptions{Namespace: e.ns, LabelSelector: "page=one", Limit: 1}))(e)
		if len(p.Items) != 1 || p.Continue != "" {
			e.Errorf("%d items, continue %q", len(p.Items), p.Continue)
		}
	}},
	{"at an exact revision", func(e *env) {
		old := e.put(e.configMap("a", "k", "1"))
		_, revision := e.list(e.here())
		e.put(e.configMap("b"))
		must(e.maps.Update(e.ctx, e.configMap("a", "k", "2")))(e)
		o := e.here()
		o.ResourceVersion, o.ResourceVersionMatch = strconv.FormatInt(revision, 10), "Exact"
		items, at := e.list(o)
		if names(items) != "a" || items[0].Data["k"] != "1" || client.Revision(items[0]) != client.Revision(old) || at != revision {
			e.Errorf("%v at %d", items, at)
		}
	}},
	{"not older than a revision", func(e *env) {
		m := e.put(e.configMap("a"))
		for _, match := range []string{"", "NotOlderThan"} {
			o := e.here()
			o.ResourceVersion, o.ResourceVersionMatch = m.Metadata.ResourceVersion, match
			if items, at := e.list(o); names(items) != "a" || at < client.Revision(m) {
				e.Errorf("%q at %d, wanted not older than %d", names(items), at, client.Revision(m))
			}
		}
		o := e.here()
		o.ResourceVersion = "0"
		if _, at := e.list(o); at == 0 {
			e.Error("no revision")
		}
	}},
	{"at a revision that is not there yet", func(e *env) {
		o := e.here()
		o.ResourceVersion, o.ResourceVersionMatch = "9000000000", "NotOlderThan"
		_, _, err := e.maps.List(e.ctx, o)
		e.wants(err, apierrors.IsTimeout, "Too large resource version")
		if !apierrors.HasCause(err, apierrors.CauseResourceVersionTooLarge) {
			e.Error("the cause is not named")
		}
	}},
	{"nonsense", func(e *env) {
		for text, o := range map[string]client.ListOptions{
			"resourceVersion":           {Namespace: e.ns, ResourceVersion: "yesterday"},
			"continue":                  {Namespace: e.ns, Limit: 1, Continue: "nonsense"},
			"unable to parse":           {Namespace: e.ns, LabelSelector: "a in (b"},
			"field label not supported": {Namespace: e.ns, FieldSelector: "spec.colour=red"},
		} {
			_, err := e.maps.ListPage(e.ctx, o)
			if !apierrors.IsBadRequest(err) && !apierrors.IsInvalid(err) {
				e.Errorf("%s: %v", text, err)
			}
		}
	}},
}}

var selectors = group{"selectors", []behaviour{
	{"labels", func(e *env) {
		e.put(e.labelled("none"))
		e.put(e.labelled("web1", "app", "web", "tier", "front"))
		e.put(e.labelled("web2", "app", "web"))
		e.put(e.labelled("db", "app", "db", "tier", ""))
		for selector, want := range map[string]string{
			"app=web":                    "web1 web2",
			"app==web,tier=front":        "web1",
			"app!=web":                   "db none",
			"app in (web, db)":           "db web1 web2",
			"app notin (web)":            "db none",
			"tier":                       "db web1",
			"!tier":                      "none web2",
			"tier=":                      "db",
			"app in (web),!tier":         "web2",
			"app=nothing":                "",
			"tier notin (front),app=web": "web2",
		} {
			o := e.here()
			o.LabelSelector = selector
			if items, _ := e.list(o); names(items) != want {
				e.Errorf("%s: %q, want %q", selector, names(items), want)
			}
		}
	}},
	{"fields", func(e *env) {
		for name, node := range map[string]string{"a": "n1", "b": "n2", "c": ""} {
			p := e.pod(name)
			p.Spec.NodeName = node
			must(e.pods.Create(e.ctx, p))(e)
		}
		for selector, want := range map[string]string{
			"metadata.name=b":                           "b",
			"spec.nodeName=n1":                          "a",
			"spec.nodeName=":                            "c",
			"spec.nodeName!=n1":                         "b c",
			"spec.nodeName=n2,status.phase=Pending":     "b",
			"status.phase!=Pending":                     "",
			"metadata.namespace=" + e.ns:                "a b c",
			"spec.restartPolicy=Always,spec.nodeName!=": "a b",
		} {
			items, _, err := e.pods.List(e.ctx, client.ListOptions{Namespace: e.ns, FieldSelector: selector})
			if err != nil || names(items) != want {
				e.Errorf("%s: %q, want %q; %v", selector, names(items), want, err)
			}
		}
	}},
}}
