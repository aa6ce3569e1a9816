package selector

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/labels"
)

func lookup(m map[string]string) Lookup {
	return func(k string) (string, bool) { v, ok := m[k]; return v, ok }
}

// Kubernetes' own parser is the judge of every selector here.
func TestLabelsAgreeWithKubernetes(t *testing.T) {
	objects := []map[string]string{
		nil, {"app": "web"}, {"app": "db", "tier": "a"}, {"app": "web", "tier": "b", "n": "5"}, {"n": "x"}, {"app": ""}, {"example.com/x": "1"},
	}
	for _, s := range []string{
		"", "app=web", "app==web", "app!=web", "app", "!app", "app in (web,db)", "app notin (web, db)", "app in ()", "n>3", "n<3", "n > 4 , n<9",
		"app=web,tier", " app = web , tier in (b) ", "app=", "app in (web", "app,,tier", "app=web,", "=web", "a b", "app in web", "n>x",
		"example.com/x=1", "-bad=1", "app=b@d", "app in (a,,b)", "!app=web", "(app)", "app=web tier", "app in (,web)", "x,!y,z=1",
	} {
		want, wantErr := labels.Parse(s)
		got, err := ParseLabels(s)
		if (err == nil) != (wantErr == nil) {
			t.Errorf("%q: error %v, Kubernetes says %v", s, err, wantErr)
			continue
		}
		for _, o := range objects {
			if err == nil && got.Matches(lookup(o)) != want.Matches(labels.Set(o)) {
				t.Errorf("%q on %v: got %v", s, o, got.Matches(lookup(o)))
			}
		}
	}
}

func FuzzLabels(f *testing.F) {
	f.Add("app in (a,b),!x,y>1")
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsRune(s, 0) {
			return // where Kubernetes stops reading, whatever follows; here it is refused
		}
		_, wantErr := labels.Parse(s)
		if _, err := ParseLabels(s); (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: error %v, Kubernetes says %v", s, err, wantErr)
		}
	})
}

func TestFields(t *testing.T) {
	object := lookup(map[string]string{"spec.nodeName": "n1", "status.phase": "", "a": "x,y=z"})
	for s, want := range map[string]bool{
		"": true, "spec.nodeName=n1": true, "spec.nodeName==n1": true, "spec.nodeName!=n1": false, "spec.nodeName=": false,
		"status.phase=": true, "spec.nodeName=n1,status.phase!=Failed": true, `a=x\,y\=z`: true, "spec.nodeName=n1,": true,
	} {
		f, err := ParseFields(s)
		if err != nil {
			t.Errorf("%q: %v", s, err)
		} else if f.Matches(object) != want {
			t.Errorf("%q: got %v", s, !want)
		}
	}
	for _, s := range []string{"spec.nodeName", `a=\n`, "a=b=c"} {
		if f, err := ParseFields(s); err == nil {
			t.Errorf("%q parsed as %v", s, f)
		}
	}
}
