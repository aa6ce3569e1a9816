package batch

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// Limits of indexed jobs, which keep lists of indexes in their status short.
const (
	maxIndexedParallelism = 100_000
	maxFailedIndexes      = 100_000
	manyCompletions       = 100_000
	maxParallelismOfMany  = 10_000
	maxFailedOfMany       = 10_000
	maxManagedBy          = 63
)

const indexed = "Indexed"

func job(j, old *batchv1.Job) rule.ErrorList {
	at := field.NewPath("spec")
	s := j.GetSpec()
	if s == nil {
		s = &batchv1.JobSpec{}
	}
	errs := generated(j, old)
	errs = append(errs, jobSpec(s, at)...)
	if s.Selector == nil {
		errs = append(errs, field.Required(at.Child("selector"), ""))
	} else if labels := s.GetTemplate().GetMetadata().GetLabels(); len(rule.LabelSelector(s.Selector, at)) == 0 && !rule.Selects(s.Selector, labels) {
		errs = append(errs, field.Invalid(at.Child("template", "metadata", "labels"), shown(labels), "`selector` does not match template `labels`"))
	}
	if old != nil {
		errs = append(errs, jobUpdate(s, old, at)...)
	}
	if s.GetCompletionMode() == indexed && s.GetCompletions() > 0 {
		host := fmt.Sprintf("%s-%d", j.GetMetadata().GetName(), s.GetCompletions()-1)
		if len(utilvalidation.IsDNS1123Label(host)) > 0 {
			errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), j.GetMetadata().GetName(), "will not able to create pod with invalid DNS label: "+host))
		}
	}
	return errs
}

func shown(labels map[string]string) map[string]string {
	if labels == nil {
		return map[string]string{}
	}
	return labels
}

// generated checks the selector and labels that the server sets, which a user may have set otherwise.
func generated(j, old *batchv1.Job) rule.ErrorList {
	s := j.GetSpec()
	if s.GetManualSelector() || s.GetSelector() == nil {
		return nil
	}
	uid, name := j.GetMetadata().GetUid(), j.GetMetadata().GetName()
	expected := []struct{ key, value string }{{OldControllerUID, uid}, {OldJobName, name}, {ControllerUID, uid}, {JobName, name}}
	if old != nil {
		// Jobs of before there were labels with a domain stay as they are.
		had := old.GetSpec().GetTemplate().GetMetadata().GetLabels()
		if _, ok := had[JobName]; !ok {
			expected = expected[:2]
		} else if _, ok := had[ControllerUID]; !ok {
			expected = expected[:2]
		}
	}
	labels, want := s.GetTemplate().GetMetadata().GetLabels(), map[string]string{}
	var errs rule.ErrorList
	at := field.NewPath("spec", "template", "metadata", "labels")
	for _, e := range expected {
		want[e.key] = e.value
		switch got, ok := labels[e.key]; {
		case !ok:
			errs = append(errs, field.Required(at.Key(e.key), fmt.Sprintf("must be '%s'", e.value)))
		case got != e.value:
			errs = append(errs, field.Invalid(at.Key(e.key), shown(labels), fmt.Sprintf("must be '%s'", e.value)))
		}
	}
	if len(rule.LabelSelector(s.Selector, at)) == 0 && !rule.Selects(s.Selector, want) {
		errs = append(errs, field.Invalid(field.NewPath("spec", "selector"), rule.Value(s.Selector), "`selector` not auto-generated"))
	}
	return errs
}

// jobSpec checks what jobs and the templates of jobs have in common.
func jobSpec(s *batchv1.JobSpec, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"parallelism", int64(s.GetParallelism())}, {"completions", int64(s.GetCompletions())}, {"activeDeadlineSeconds", s.GetActiveDeadlineSeconds()},
		{"backoffLimit", int64(s.GetBackoffLimit())}, {"ttlSecondsAfterFinished", int64(s.GetTtlSecondsAfterFinished())},
		{"backoffLimitPerIndex", int64(s.GetBackoffLimitPerIndex())}, {"maxFailedIndexes", int64(s.GetMaxFailedIndexes())},
	} {
		if n.value < 0 {
			errs = append(errs, field.Invalid(at.Child(n.name), n.value, validation.IsNegativeErrorMsg))
		}
	}
	if s.MaxFailedIndexes != nil && s.BackoffLimitPerIndex == nil {
		errs = append(errs, field.Required(at.Child("backoffLimitPerIndex"), "when maxFailedIndexes is specified"))
	}
	if m := s.ManagedBy; m != nil {
		errs = append(errs, utilvalidation.IsDomainPrefixedPath(at.Child("managedBy"), *m)...)
		if len(*m) > maxManagedBy {
			errs = append(errs, field.TooLong(at.Child("managedBy"), "", maxManagedBy))
		}
	}
	errs = append(errs, completionMode(s, at)...)
	if s.PodFailurePolicy != nil {
		errs = append(errs, failurePolicy(s, at.Child("podFailurePolicy", "rules"))...)
	}
	if s.SuccessPolicy != nil {
		if s.GetCompletionMode() != indexed {
			errs = append(errs, field.Invalid(at.Child("successPolicy"), rule.Value(s.SuccessPolicy), "requires indexed completion mode"))
		} else {
			errs = append(errs, successPolicy(s, at.Child("successPolicy", "rules"))...)
		}
	}
	if p := s.PodReplacementPolicy; p != nil && s.PodFailurePolicy != nil && *p != "Failed" {
		errs = append(errs, field.NotSupported(at.Child("podReplacementPolicy"), *p, []string{"Failed"}))
	}
	return append(errs, restartPolicy(s, at.Child("template", "spec", "restartPolicy"))...)
}

func restartPolicy(s *batchv1.JobSpec, at *rule.Path) rule.ErrorList {
	switch p := s.GetTemplate().GetSpec().GetRestartPolicy(); p {
	case "", "Always":
		return rule.ErrorList{field.Required(at, `valid values: "OnFailure", "Never"`)}
	case "Never":
	case "OnFailure":
		if s.PodFailurePolicy != nil {
			return rule.ErrorList{field.Invalid(at, p, `only "Never" is supported when podFailurePolicy is specified`)}
		}
	default:
		return rule.ErrorList{field.NotSupported(at, p, []string{"OnFailure", "Never"})}
	}
	return nil
}

func completionMode(s *batchv1.JobSpec, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	perIndex := s.BackoffLimitPerIndex != nil
	if s.GetCompletionMode() != indexed {
		if perIndex {
			errs = append(errs, field.Invalid(at.Child("backoffLimitPerIndex"), s.GetBackoffLimitPerIndex(), "requires indexed completion mode"))
		}
		if s.MaxFailedIndexes != nil {
			errs = append(errs, field.Invalid(at.Child("maxFailedIndexes"), s.GetMaxFailedIndexes(), "requires indexed completion mode"))
		}
		return errs
	}
	most := func(name string, n *int32, limit int32, why string) {
		if n != nil && *n > limit {
			errs = append(errs, field.Invalid(at.Child(name), *n, fmt.Sprintf("must be less than or equal to %d%s", limit, why)))
		}
	}
	if s.Completions == nil {
		errs = append(errs, field.Required(at.Child("completions"), "when completion mode is Indexed"))
	}
	most("parallelism", s.Parallelism, maxIndexedParallelism, " when completion mode is Indexed")
	if s.Completions != nil && s.GetMaxFailedIndexes() > *s.Completions {
		errs = append(errs, field.Invalid(at.Child("maxFailedIndexes"), s.GetMaxFailedIndexes(), "must be less than or equal to completions"))
	}
	most("maxFailedIndexes", s.MaxFailedIndexes, maxFailedIndexes, "")
	if s.GetCompletions() > manyCompletions && perIndex {
		if s.MaxFailedIndexes == nil {
			errs = append(errs, field.Required(at.Child("maxFailedIndexes"), fmt.Sprintf("must be specified when completions is above %d", manyCompletions)))
		}
		why := fmt.Sprintf(" when completions are above %d and used with backoff limit per index", manyCompletions)
		most("parallelism", s.Parallelism, maxParallelismOfMany, why)
		most("maxFailedIndexes", s.MaxFailedIndexes, maxFailedOfMany, why)
	}
	return errs
}

// jobUpdate refuses changes of what cannot change once a job exists.
func jobUpdate(s *batchv1.JobSpec, old *batchv1.Job, at *rule.Path) rule.ErrorList {
	was := old.GetSpec()
	if was == nil {
		was = &batchv1.JobSpec{}
	}
	var errs rule.ErrorList
	fixed := func(name string, value any, same bool) {
		if !same {
			errs = append(errs, field.Invalid(at.Child(name), value, validation.FieldImmutableErrorMsg))
		}
	}
	switch same := sameNumber(s.Completions, was.Completions); {
	case same:
	case s.GetCompletionMode() != indexed:
		fixed("completions", number(s.Completions), false)
	case s.Completions != nil && *s.Completions != s.GetParallelism():
		errs = append(errs, field.Invalid(at.Child("completions"), *s.Completions, "can only be modified in tandem with spec.parallelism"))
	}
	fixed("selector", rule.Value(s.Selector), proto.Equal(s.Selector, was.Selector))
	errs = append(errs, templateUpdate(s, old, at)...)
	fixed("completionMode", s.GetCompletionMode(), s.GetCompletionMode() == was.GetCompletionMode())
	fixed("podFailurePolicy", rule.Value(s.PodFailurePolicy), proto.Equal(s.PodFailurePolicy, was.PodFailurePolicy))
	fixed("backoffLimitPerIndex", number(s.BackoffLimitPerIndex), sameNumber(s.BackoffLimitPerIndex, was.BackoffLimitPerIndex))
	fixed("managedBy", s.GetManagedBy(), s.GetManagedBy() == was.GetManagedBy())
	fixed("successPolicy", rule.Value(s.SuccessPolicy), proto.Equal(s.SuccessPolicy, was.SuccessPolicy))
	return errs
}

func sameNumber(a, b *int32) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

func number(n *int32) any {
	if n == nil {
		return nil
	}
	return *n
}

// templateUpdate allows a suspended job without pods to say anew where its pods run and what they request.
func templateUpdate(s *batchv1.JobSpec, old *batchv1.Job, at *rule.Path) rule.ErrorList {
	now, was := s.GetTemplate(), old.GetSpec().GetTemplate()
	if was == nil {
		was = &corev1.PodTemplateSpec{}
	}
	if now == nil {
		now = &corev1.PodTemplateSpec{}
	}
	if !old.GetSpec().GetSuspend() || old.GetStatus().GetActive() != 0 ||
		old.GetStatus().GetStartTime() != nil && !isTrue(old.GetStatus().GetConditions(), "Suspended") {
		if !equalTemplates(now, was) {
			return rule.ErrorList{field.Invalid(at.Child("template"), rule.Value(now), validation.FieldImmutableErrorMsg)}
		}
		return nil
	}
	was = proto.CloneOf(was)
	if was.Metadata == nil {
		was.Metadata = &metav1.ObjectMeta{}
	}
	if was.Spec == nil {
		was.Spec = &corev1.PodSpec{}
	}
	was.Metadata.Labels, was.Metadata.Annotations = now.GetMetadata().GetLabels(), now.GetMetadata().GetAnnotations()
	was.Spec.NodeSelector, was.Spec.Tolerations = now.GetSpec().GetNodeSelector(), now.GetSpec().GetTolerations()
	was.Spec.SchedulingGates = now.GetSpec().GetSchedulingGates()
	if a := now.GetSpec().GetAffinity(); a != nil || was.Spec.Affinity != nil {
		if was.Spec.Affinity == nil {
			was.Spec.Affinity = &corev1.Affinity{}
		}
		was.Spec.Affinity.NodeAffinity = a.GetNodeAffinity()
		if a == nil && proto.Size(was.Spec.Affinity) == 0 {
			was.Spec.Affinity = nil
		}
	}
	resources(now.GetSpec().GetContainers(), was.Spec.Containers)
	resources(now.GetSpec().GetInitContainers(), was.Spec.InitContainers)
	if !equalTemplates(now, was) {
		return rule.ErrorList{field.Invalid(at.Child("template.spec"), rule.Value(now.Spec), validation.FieldImmutableErrorMsg)}
	}
	return nil
}

func resources(now, was []*corev1.Container) {
	if len(now) != len(was) {
		return
	}
	for i := range was {
		if was[i].Name == now[i].Name {
			was[i].Resources = now[i].Resources
		}
	}
}

func equalTemplates(a, b *corev1.PodTemplateSpec) bool {
	return proto.Equal(orMeta(a.Metadata), orMeta(b.Metadata)) && proto.Equal(orSpec(a.Spec), orSpec(b.Spec))
}

func orMeta(m *metav1.ObjectMeta) *metav1.ObjectMeta {
	if m == nil {
		return &metav1.ObjectMeta{}
	}
	return m
}

func orSpec(s *corev1.PodSpec) *corev1.PodSpec {
	if s == nil {
		return &corev1.PodSpec{}
	}
	return s
}
