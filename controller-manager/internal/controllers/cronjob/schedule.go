package cronjob

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
)

// manyMissed is how many times in a row may be missed before users are told that something is wrong.
const manyMissed = 100

// farthest bounds how far the next time is searched: cron's own limit.
const farthest = 5 * 366 * 24 * time.Hour

// errNever is a schedule that is well-formed but names no time, such as the 31st of February.
var errNever = errors.New("time difference between two schedules is less than 1 second")

// parse reads a CronJob's schedule in its time zone. The library panics on some strings.
func parse(cj *batchv1.CronJob) (schedule cron.Schedule, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("invalid schedule format: %v", p)
		}
	}()
	spec := cj.GetSpec().GetSchedule()
	if zone := cj.GetSpec().TimeZone; zone != nil && !strings.Contains(spec, "TZ") {
		spec = "TZ=" + *zone + " " + spec
	}
	return cron.ParseStandard(spec)
}

// moment is where a CronJob stands at a time.
type moment struct {
	// due is the last time that has come since the last Job; zero where none has.
	due time.Time
	// missed is about how many times came before it and have no Job.
	missed int
	// next is the time after now.
	next time.Time
}

// at finds out which time is due. Times before the CronJob's creation, before its last Job, and before the starting
// deadline do not count.
func at(cj *batchv1.CronJob, schedule cron.Schedule, now time.Time) (moment, error) {
	since := apitime.Go(cj.GetMetadata().GetCreationTimestamp())
	if last := apitime.Go(cj.GetStatus().GetLastScheduleTime()); !last.IsZero() {
		since = last
	}
	if limit := cj.GetSpec().StartingDeadlineSeconds; limit != nil {
		if deadline := now.Add(-time.Duration(*limit) * time.Second); deadline.After(since) {
			since = deadline
		}
	}
	first := schedule.Next(since)
	if first.IsZero() {
		return moment{}, errNever
	}
	if first.After(now) {
		return moment{next: first}, nil
	}
	second := schedule.Next(first)
	if second.IsZero() {
		return moment{}, errNever
	}
	m := moment{due: first, next: second}
	if second.After(now) {
		return m, nil
	}
	// Years may have passed: jump near to now by the schedule's own pace, and further back where it is uneven.
	step := second.Sub(first)
	m.missed = int(now.Sub(first) / step)
	for back := 2 * step; ; back *= 2 {
		from := now.Add(-back)
		if from.Before(first) || back > farthest {
			from = first.Add(-time.Second)
		}
		// The phase of "@every" counts from where one begins.
		from = first.Add(from.Sub(first).Truncate(step))
		var last time.Time
		t := schedule.Next(from)
		for ; !t.After(now) && !t.IsZero(); t = schedule.Next(t) {
			last = t
		}
		if !last.IsZero() || !from.After(first) {
			if !last.IsZero() {
				m.due = last
			}
			m.next = schedule.Next(now)
			if _, every := schedule.(cron.ConstantDelaySchedule); every {
				m.next = m.due.Add(step)
			}
			return m, nil
		}
	}
}

// tooLate reports whether a time is past the starting deadline.
func tooLate(cj *batchv1.CronJob, due, now time.Time) bool {
	limit := cj.GetSpec().StartingDeadlineSeconds
	return limit != nil && due.Add(time.Duration(*limit)*time.Second).Before(now)
}
