package batch

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

func isTrue(list []*batchv1.JobCondition, kind string) bool { return is(list, kind, "True") }

func is(list []*batchv1.JobCondition, kind, status string) bool {
	for _, c := range list {
		if c.Type == kind && c.Status == status {
			return true
		}
	}
	return false
}

func finished(s *batchv1.JobStatus) bool {
	return isTrue(s.GetConditions(), "Complete") || isTrue(s.GetConditions(), "Failed")
}

// jobStatus checks a step of a job's life. Rules about a part of the status hold only where that part changes, so that one
// that was broken before does not keep the others from being written.
func jobStatus(j, old *batchv1.Job) rule.ErrorList {
	c := &statusCheck{spec: j.GetSpec(), now: j.GetStatus(), was: old.GetStatus(), at: field.NewPath("status")}
	if c.spec == nil {
		c.spec = &batchv1.JobSpec{}
	}
	if c.now == nil {
		c.now = &batchv1.JobStatus{}
	}
	if c.was == nil {
		c.was = &batchv1.JobStatus{}
	}
	c.numbers()
	c.uncounted()
	c.conditions()
	c.times()
	c.pods()
	c.indexes()
	return c.errs
}

type statusCheck struct {
	spec     *batchv1.JobSpec
	now, was *batchv1.JobStatus
	at       *rule.Path
	errs     rule.ErrorList
}

func (c *statusCheck) invalid(name string, value any, detail string) {
	c.errs = append(c.errs, field.Invalid(c.at.Child(name), value, detail))
}

func (c *statusCheck) is(kind string) bool { return isTrue(c.now.Conditions, kind) }

// changed tells whether one of some conditions is true now and was not, or the other way round.
func (c *statusCheck) changed(kinds ...string) bool {
	for _, k := range kinds {
		if isTrue(c.now.Conditions, k) != isTrue(c.was.Conditions, k) {
			return true
		}
	}
	return false
}

func (c *statusCheck) numbers() {
	for _, n := range []struct {
		name  string
		value int32
	}{{"active", c.now.Active}, {"succeeded", c.now.Succeeded}, {"failed", c.now.Failed}, {"ready", c.now.GetReady()}, {"terminating", c.now.GetTerminating()}} {
		if n.value < 0 {
			c.invalid(n.name, n.value, validation.IsNegativeErrorMsg)
		}
	}
	if c.now.Failed < c.was.Failed {
		c.invalid("failed", c.now.Failed, "cannot decrease the failed counter")
	}
	shrinks := c.spec.GetCompletionMode() == indexed && sameNumber(c.spec.Completions, c.spec.Parallelism)
	if c.now.Succeeded < c.was.Succeeded && !shrinks {
		c.invalid("succeeded", c.now.Succeeded, "cannot decrease the succeeded counter")
	}
}

func (c *statusCheck) uncounted() {
	seen := map[string]bool{}
	check := func(name string, uids []string) {
		for i, uid := range uids {
			at := c.at.Child("uncountedTerminatedPods", name).Index(i)
			switch {
			case uid == "":
				c.errs = append(c.errs, field.Invalid(at, uid, "must not be empty"))
			case seen[uid]:
				c.errs = append(c.errs, field.Duplicate(at, uid))
			}
			seen[uid] = true
		}
	}
	check("succeeded", c.now.GetUncountedTerminatedPods().GetSucceeded())
	check("failed", c.now.GetUncountedTerminatedPods().GetFailed())
}

func (c *statusCheck) conditions() {
	bad := func(detail string) { c.invalid("conditions", field.OmitValueType{}, detail) }
	complete, failed := c.is("Complete"), c.is("Failed")
	target, met := c.is("FailureTarget"), c.is("SuccessCriteriaMet")
	if complete && failed && c.changed("Complete", "Failed") {
		bad("cannot set Complete=True and Failed=true conditions")
	}
	if complete && target && c.changed("Complete", "FailureTarget") {
		bad("cannot set Complete=True and FailureTarget=true conditions")
	}
	if failed && !target && (c.changed("Failed") || c.now.GetFailedIndexes() != c.was.GetFailedIndexes()) {
		bad("cannot set Failed=True condition without the FailureTarget=true condition")
	}
	if complete && !met && c.changed("Complete", "SuccessCriteriaMet") {
		bad("cannot set Complete=True condition without the SuccessCriteriaMet=true condition")
	}
	if met && failed {
		bad("cannot set SuccessCriteriaMet=True and Failed=true conditions")
	}
	if met && target {
		bad("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")
	}
	if c.spec.SuccessPolicy != nil && !met && complete {
		bad("cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True")
	}
	for _, kind := range []string{"Failed", "Complete", "FailureTarget"} {
		if isTrue(c.was.Conditions, kind) && !c.is(kind) {
			bad(fmt.Sprintf("cannot disable the terminal %s=True condition", kind))
		}
	}
	was := isTrue(c.was.Conditions, "SuccessCriteriaMet")
	if was && !met {
		bad("cannot disable the SuccessCriteriaMet=True condition")
	}
	if isTrue(c.was.Conditions, "Complete") && !was && met {
		bad("cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions")
	}
}

func (c *statusCheck) times() {
	start, end := c.now.StartTime, c.now.CompletionTime
	startChanged, endChanged := !sameTime(start, c.was.StartTime), !sameTime(end, c.was.CompletionTime)
	if complete := c.is("Complete"); c.changed("Complete") || endChanged {
		if end != nil && !complete {
			c.invalid("completionTime", rule.Value(end), "cannot set completionTime when there is no Complete=True condition")
		}
		if end == nil && complete {
			c.errs = append(c.errs, field.Required(c.at.Child("completionTime"), "completionTime is required for Complete jobs"))
		}
	}
	if (startChanged || endChanged) && start != nil && end != nil && end.GetSeconds() < start.GetSeconds() {
		c.invalid("completionTime", rule.Value(end), "must be equal to or after `startTime`")
	}
	if end != nil && c.was.CompletionTime != nil && endChanged {
		c.invalid("completionTime", rule.Value(end), validation.FieldImmutableErrorMsg)
	}
	idle := c.spec.GetSuspend() && c.spec.Completions != nil && *c.spec.Completions == 0
	if start == nil && finished(c.now) && (c.changed("Complete", "Failed") || startChanged) && !idle {
		c.errs = append(c.errs, field.Required(c.at.Child("startTime"), "startTime is required for finished job"))
	}
	resumed := isTrue(c.was.Conditions, "Suspended") && is(c.now.Conditions, "Suspended", "False")
	if c.was.StartTime != nil && startChanged && !resumed && !c.spec.GetSuspend() {
		c.invalid("startTime", rule.Value(start), "field is immutable for unsuspended job once set")
	}
}

func sameTime(a, b *metav1.Time) bool {
	return (a == nil) == (b == nil) && a.GetSeconds() == b.GetSeconds() && a.GetNanos() == b.GetNanos()
}

func (c *statusCheck) pods() {
	ended := c.changed("Complete", "Failed")
	done := finished(c.now)
	if done && c.now.Active > 0 && (ended || c.now.Active != c.was.Active) {
		c.invalid("active", c.now.Active, "active>0 is invalid for finished job")
	}
	if u := c.now.UncountedTerminatedPods; done && len(u.GetFailed())+len(u.GetSucceeded()) > 0 && (ended || !proto.Equal(u, c.was.UncountedTerminatedPods)) {
		c.invalid("uncountedTerminatedPods", rule.Value(u), "must be empty for finished job")
	}
	if done && c.now.GetTerminating() > 0 && (ended || !sameNumber(c.now.Terminating, c.was.Terminating)) {
		c.invalid("terminating", c.now.GetTerminating(), "terminating>0 is invalid for finished job")
	}
	if c.now.GetReady() > c.now.Active && (!sameNumber(c.now.Ready, c.was.Ready) || c.now.Active != c.was.Active) {
		c.invalid("ready", c.now.GetReady(), "cannot set more ready pods than active")
	}
}

func (c *statusCheck) indexes() {
	completed, failed := c.now.CompletedIndexes, c.now.FailedIndexes
	completedChanged := completed != c.was.CompletedIndexes
	failedChanged := (failed == nil) != (c.was.FailedIndexes == nil) || c.now.GetFailedIndexes() != c.was.GetFailedIndexes()
	done, err := indexes(completed, c.spec.GetCompletions())
	if completedChanged && c.spec.Completions != nil && err != nil {
		c.invalid("completedIndexes", completed, "error parsing completedIndexes: "+err.Error())
	}
	if completedChanged && completed != "" && c.spec.GetCompletionMode() != indexed {
		c.invalid("completedIndexes", completed, "cannot set non-empty completedIndexes when non-indexed completion mode")
	}
	lost, err := indexes(c.now.GetFailedIndexes(), c.spec.GetCompletions())
	if failedChanged && failed != nil {
		switch {
		case c.spec.BackoffLimitPerIndex == nil:
			c.invalid("failedIndexes", *failed, "cannot set non-null failedIndexes when backoffLimitPerIndex is null")
		case c.spec.Completions != nil && err != nil:
			c.invalid("failedIndexes", *failed, "error parsing failedIndexes: "+err.Error())
		}
	}
	if i, both := overlap(done, lost); both && (completedChanged || failedChanged) {
		c.invalid("failedIndexes", *failed, fmt.Sprintf("failedIndexes and completedIndexes overlap at index: %d", i))
	}
}
