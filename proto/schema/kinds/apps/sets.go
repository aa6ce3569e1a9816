package apps

import (
	"regexp"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/kinds/core"
	"github.com/keelson/keelson/proto/schema/rule"
)

func daemonSet(d, _ *appsv1.DaemonSet) rule.ErrorList {
	at := field.NewPath("spec")
	s := d.GetSpec()
	errs := workload(s.GetSelector(), s.GetTemplate(), "DaemonSet", "daemonset", at)
	if s.GetUpdateStrategy().GetType() != "RollingUpdate" {
		return errs
	}
	at = at.Child("updateStrategy", "rollingUpdate")
	u := s.UpdateStrategy.RollingUpdate
	unavailable, e := amount(u.GetMaxUnavailable(), at.Child("maxUnavailable"))
	errs = append(errs, e...)
	surge, e := amount(u.GetMaxSurge(), at.Child("maxSurge"))
	errs = append(errs, e...)
	errs = append(errs, atMostAll(u.GetMaxUnavailable(), unavailable, at.Child("maxUnavailable"))...)
	errs = append(errs, atMostAll(u.GetMaxSurge(), surge, at.Child("maxSurge"))...)
	switch {
	case unavailable != 0 && surge != 0:
		errs = append(errs, field.Invalid(at.Child("maxSurge"), shown(u.GetMaxSurge()), "may not be set when maxUnavailable is non-zero"))
	case unavailable == 0 && surge == 0:
		errs = append(errs, field.Required(at.Child("maxUnavailable"), "cannot be 0 when maxSurge is 0"))
	}
	return errs
}

func atMostAll(v *metav1.IntOrString, n int, at *rule.Path) rule.ErrorList {
	if v.GetType() == 1 && n > 100 {
		return rule.ErrorList{field.Invalid(at, shown(v), "must not be greater than 100%")}
	}
	return nil
}

func daemonSetStatus(d, old *appsv1.DaemonSet) rule.ErrorList {
	s, at := d.GetStatus(), field.NewPath("status")
	errs := nonNegative(at, map[string]int64{"currentNumberScheduled": int64(s.GetCurrentNumberScheduled()),
		"numberMisscheduled": int64(s.GetNumberMisscheduled()), "desiredNumberScheduled": int64(s.GetDesiredNumberScheduled()),
		"numberReady": int64(s.GetNumberReady()), "observedGeneration": s.GetObservedGeneration(),
		"updatedNumberScheduled": int64(s.GetUpdatedNumberScheduled()), "numberAvailable": int64(s.GetNumberAvailable()),
		"numberUnavailable": int64(s.GetNumberUnavailable()), "collisionCount": int64(s.GetCollisionCount())})
	return append(errs, collisions(s.GetCollisionCount(), old.GetStatus().GetCollisionCount(), at)...)
}

func collisions(now, was int32, at *rule.Path) rule.ErrorList {
	if now < was {
		return rule.ErrorList{field.Invalid(at.Child("collisionCount"), now, "cannot be decremented")}
	}
	return nil
}

// workload is template for kinds that name themselves where their selector is empty.
func workload(selector *metav1.LabelSelector, t *corev1.PodTemplateSpec, kind, lower string, at *rule.Path) rule.ErrorList {
	errs := template(selector, t, kind, at)
	if selector == nil {
		// Nothing is selected, not even what the template makes.
		labels := t.GetMetadata().GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		errs = append(errs, field.Invalid(at.Child("template", "metadata", "labels"), labels, "`selector` does not match template `labels`"))
	}
	for _, e := range errs {
		if e.Detail == emptySelector {
			e.Detail = "empty selector is invalid for " + lower
		}
	}
	return errs
}

func statefulSet(s, _ *appsv1.StatefulSet) rule.ErrorList {
	at := field.NewPath("spec")
	spec := s.GetSpec()
	errs := workload(spec.GetSelector(), spec.GetTemplate(), "StatefulSet", "statefulset", at)
	errs = append(errs, statefulStrategy(spec.GetUpdateStrategy(), at.Child("updateStrategy"))...)
	for i, c := range spec.GetVolumeClaimTemplates() {
		errs = append(errs, core.ClaimSpec(c.GetSpec(), at.Child("volumeClaimTemplates").Index(i).Child("spec"))...)
		// The pods get a volume of the template's name.
		here, name := at.Child("template", "spec", "volumes").Index(i).Child("name"), c.GetMetadata().GetName()
		if name == "" {
			errs = append(errs, field.Required(here, ""))
			continue
		}
		for _, msg := range utilvalidation.IsDNS1123Label(name) {
			errs = append(errs, field.Invalid(here, name, msg))
		}
	}
	if n := spec.GetOrdinals().GetStart(); n < 0 {
		errs = append(errs, field.Invalid(at.Child("ordinals.start"), n, validation.IsNegativeErrorMsg))
	}
	if name := spec.GetServiceName(); name != "" {
		for _, msg := range utilvalidation.IsDNS1123Label(name) {
			errs = append(errs, field.Invalid(at.Child("serviceName"), name, msg))
		}
	}
	p, at := spec.GetPersistentVolumeClaimRetentionPolicy(), at.Child("persistentVolumeClaimRetentionPolicy")
	for _, f := range []struct{ name, value string }{{"whenDeleted", p.GetWhenDeleted()}, {"whenScaled", p.GetWhenScaled()}} {
		if p != nil && f.value != "Retain" && f.value != "Delete" {
			errs = append(errs, field.NotSupported(at.Child(f.name), f.value, []string{"Retain", "Delete"}))
		}
	}
	return errs
}

func statefulStrategy(u *appsv1.StatefulSetUpdateStrategy, at *rule.Path) rule.ErrorList {
	r := u.GetRollingUpdate()
	switch u.GetType() {
	case "RollingUpdate":
		var errs rule.ErrorList
		if r == nil {
			return nil
		}
		at = at.Child("rollingUpdate")
		if r.GetPartition() < 0 {
			errs = append(errs, field.Invalid(at.Child("partition"), r.GetPartition(), validation.IsNegativeErrorMsg))
		}
		if r.MaxUnavailable != nil {
			n, e := amount(r.MaxUnavailable, at.Child("maxUnavailable"))
			errs = append(errs, e...)
			if n == 0 {
				errs = append(errs, field.Invalid(at.Child("maxUnavailable"), shown(r.MaxUnavailable), "cannot be 0"))
			}
			errs = append(errs, atMostAll(r.MaxUnavailable, n, at.Child("maxUnavailable"))...)
		}
		return errs
	case "OnDelete":
		if r != nil {
			return rule.ErrorList{field.Invalid(at.Child("rollingUpdate"), rule.Value(r), "only allowed for updateStrategy 'RollingUpdate'")}
		}
		return nil
	}
	return rule.ErrorList{field.Invalid(at, rule.Value(u), "must be 'RollingUpdate' or 'OnDelete'")}
}

// mountOf matches the path of a mount of a container in a set's template.
var mountOf = regexp.MustCompile(`^spec\.template\.spec\.(containers|initContainers)\[\d+\]\.volumeMounts\[\d+\]\.name$`)

// claimedVolumes lets a set's containers mount what the set makes claims for: the template itself has no such volumes.
func claimedVolumes(s *appsv1.StatefulSet, errs rule.ErrorList) rule.ErrorList {
	claims := map[string]bool{}
	for _, c := range s.GetSpec().GetVolumeClaimTemplates() {
		claims[c.GetMetadata().GetName()] = true
	}
	if len(claims) == 0 {
		return errs
	}
	out := errs[:0]
	for _, e := range errs {
		if name, ok := e.BadValue.(string); ok && e.Type == field.ErrorTypeNotFound && claims[name] && mountOf.MatchString(e.Field) {
			continue
		}
		out = append(out, e)
	}
	return out
}

func statefulSetStatus(s, old *appsv1.StatefulSet) rule.ErrorList {
	st, at := s.GetStatus(), field.NewPath("status")
	errs := nonNegative(at, map[string]int64{"replicas": int64(st.GetReplicas()), "readyReplicas": int64(st.GetReadyReplicas()),
		"currentReplicas": int64(st.GetCurrentReplicas()), "updatedReplicas": int64(st.GetUpdatedReplicas()),
		"availableReplicas": int64(st.GetAvailableReplicas()), "observedGeneration": st.GetObservedGeneration(),
		"collisionCount": int64(st.GetCollisionCount())})
	for _, c := range []struct {
		name string
		n    int32
	}{{"readyReplicas", st.GetReadyReplicas()}, {"currentReplicas", st.GetCurrentReplicas()}, {"updatedReplicas", st.GetUpdatedReplicas()},
		{"availableReplicas", st.GetAvailableReplicas()}} {
		if c.n > st.GetReplicas() {
			errs = append(errs, field.Invalid(at.Child(c.name), c.n, "cannot be greater than status.replicas"))
		}
	}
	if n := st.GetAvailableReplicas(); n > st.GetReadyReplicas() {
		errs = append(errs, field.Invalid(at.Child("availableReplicas"), n, "cannot be greater than status.readyReplicas"))
	}
	return append(errs, collisions(st.GetCollisionCount(), old.GetStatus().GetCollisionCount(), at)...)
}

func revision(r, old *appsv1.ControllerRevision) rule.ErrorList {
	var errs rule.ErrorList
	if r.Revision < 0 {
		errs = append(errs, field.Invalid(field.NewPath("revision"), r.Revision, validation.IsNegativeErrorMsg))
	}
	at := field.NewPath("data")
	switch {
	case old != nil:
		if !proto.Equal(r.Data, old.Data) {
			errs = append(errs, field.Invalid(at, "<value omitted>", validation.FieldImmutableErrorMsg))
		}
	case len(r.GetData().GetRaw()) == 0 || string(r.Data.Raw) == "null":
		errs = append(errs, field.Required(at, "data is mandatory"))
	case r.Data.Raw[0] != '{':
		errs = append(errs, field.Required(at, "data must be a valid JSON object"))
	}
	return errs
}
