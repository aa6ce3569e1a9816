package podsecurity

import (
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/keelson/keelson/proto/schema/rule"
)

const prefix = "pod-security.kubernetes.io/"

// Level is a standard; each forbids what the ones before it forbid, and more.
type level int

const (
	privileged level = iota
	baseline
	restricted
)

var levels = map[string]level{"privileged": privileged, "baseline": baseline, "restricted": restricted}

// wish is a level in a version, as a namespace asks for it.
type wish struct {
	level         level
	name, version string
}

// String is how messages name it.
func (w wish) String() string { return w.name + ":" + w.version }

// policy is what a namespace asks for.
type policy struct{ enforce, audit, warn wish }

var version = regexp.MustCompile(`^v1\.(0|[1-9][0-9]*)$`)

// parse reads a namespace's labels. A level that is none counts as restricted, a version that is none as the latest, and
// both are errors of the labels.
func parse(labels map[string]string) (p policy, errs rule.ErrorList) {
	one := func(mode string, failed level) wish {
		w := wish{privileged, "privileged", "latest"}
		at := field.NewPath("metadata", "labels")
		if v, ok := labels[prefix+mode]; ok {
			l, known := levels[v]
			if w.level, w.name = l, v; !known {
				errs = append(errs, field.Invalid(at.Key(prefix+mode), v, "must be one of privileged, baseline, restricted"))
				w.level = failed
				for name, l := range levels {
					if l == failed {
						w.name = name
					}
				}
			}
		}
		if v, ok := labels[prefix+mode+"-version"]; ok && v != "latest" {
			if w.version = v; !version.MatchString(v) {
				errs = append(errs, field.Invalid(at.Key(prefix+mode+"-version"), v, `must be "latest" or "v1.x"`))
				w.version = "latest"
			}
		}
		return w
	}
	p.enforce = one("enforce", restricted)
	p.audit = one("audit", privileged)
	p.warn = one("warn", privileged)
	return p, errs
}

// violation is what one check found.
type violation struct{ reason, detail string }

func (v violation) String() string {
	if v.detail == "" {
		return v.reason
	}
	return v.reason + " (" + v.detail + ")"
}

func join(list []violation) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.String()
	}
	return strings.Join(out, ", ")
}

func reasons(list []violation) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.reason
	}
	return strings.Join(out, ", ")
}
