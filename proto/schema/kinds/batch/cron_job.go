package batch

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// maxCronJobName leaves room in the names of jobs for a dash and the time.
const maxCronJobName = 52

func cronJob(c, old *batchv1.CronJob) rule.ErrorList {
	at := field.NewPath("spec")
	s := c.GetSpec()
	var errs rule.ErrorList
	if s.GetSchedule() != "" {
		errs = append(errs, schedule(s, old.GetSpec(), at.Child("schedule"))...)
	}
	if n := s.GetStartingDeadlineSeconds(); n < 0 {
		errs = append(errs, field.Invalid(at.Child("startingDeadlineSeconds"), n, validation.IsNegativeErrorMsg))
	}
	if zone := s.GetTimeZone(); s != nil && s.TimeZone != nil && (old == nil || old.GetSpec().GetTimeZone() != zone) {
		errs = append(errs, timeZone(zone, at.Child("timeZone"))...)
	}
	job, at := s.GetJobTemplate().GetSpec(), at.Child("jobTemplate", "spec")
	if job == nil {
		job = &batchv1.JobSpec{}
	}
	errs = append(errs, jobSpec(job, at)...)
	if job.Selector != nil {
		errs = append(errs, field.Invalid(at.Child("selector"), rule.Value(job.Selector), "`selector` will be auto-generated"))
	}
	if job.GetManualSelector() {
		errs = append(errs, field.NotSupported(at.Child("manualSelector"), true, []string{"nil", "false"}))
	}
	at = field.NewPath("spec")
	for _, limit := range []struct {
		name string
		n    int32
	}{{"successfulJobsHistoryLimit", s.GetSuccessfulJobsHistoryLimit()}, {"failedJobsHistoryLimit", s.GetFailedJobsHistoryLimit()}} {
		if limit.n < 0 {
			errs = append(errs, field.Invalid(at.Child(limit.name), limit.n, validation.IsNegativeErrorMsg))
		}
	}
	if name := c.GetMetadata().GetName(); old == nil && len(name) > maxCronJobName {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), name, fmt.Sprintf("must be no more than %d characters", maxCronJobName)))
	}
	return errs
}

func schedule(s, old *batchv1.CronJobSpec, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if err := parse(s.Schedule); err != nil {
		errs = append(errs, field.Invalid(at, s.Schedule, err.Error()))
	}
	if strings.Contains(s.Schedule, "TZ") {
		switch had := strings.Contains(old.GetSchedule(), "TZ"); {
		case !had:
			errs = append(errs, field.Invalid(at, s.Schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"))
		case s.TimeZone != nil:
			errs = append(errs, field.Invalid(at, s.Schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule"))
		}
	}
	return errs
}

// parse tries a schedule; the parser panics on some that name a time zone and nothing else.
func parse(text string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("invalid schedule format: %v", r)
		}
	}()
	_, err = cron.ParseStandard(text)
	return err
}

// zonePart is one part of a time zone's name between slashes.
var zonePart = regexp.MustCompile(`^[A-Za-z._0-9+-]{1,14}$`)

func timeZone(zone string, at *rule.Path) rule.ErrorList {
	if zone == "" {
		return rule.ErrorList{field.Invalid(at, zone, "timeZone must be nil or non-empty string")}
	}
	for part := range strings.SplitSeq(zone, "/") {
		if part == "." || part == ".." || strings.HasPrefix(part, "-") || !zonePart.MatchString(part) {
			return rule.ErrorList{field.Invalid(at, zone, "unknown time zone "+zone)}
		}
	}
	var errs rule.ErrorList
	if strings.EqualFold(zone, "Local") {
		errs = append(errs, field.Invalid(at, zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"))
	}
	if _, err := time.LoadLocation(zone); err != nil {
		errs = append(errs, field.Invalid(at, zone, err.Error()))
	}
	return errs
}
