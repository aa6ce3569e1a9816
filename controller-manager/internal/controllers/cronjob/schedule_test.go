package cronjob

import (
	"testing"
	"time"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"google.golang.org/protobuf/proto"
)

func clock(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestAt(t *testing.T) {
	for _, tc := range []struct {
		name, schedule, zone, created, last, now string
		deadline                                 int64
		due, next                                string
		missed                                   int
	}{
		{name: "not yet", schedule: "0 * * * *", zone: "UTC", created: "2026-03-01T10:05:00Z", now: "2026-03-01T10:59:59Z", next: "2026-03-01T11:00:00Z"},
		{name: "just now", schedule: "0 * * * *", zone: "UTC", created: "2026-03-01T10:05:00Z", now: "2026-03-01T11:00:00Z", due: "2026-03-01T11:00:00Z", next: "2026-03-01T12:00:00Z"},
		{name: "made already", schedule: "0 * * * *", zone: "UTC", created: "2026-03-01T10:05:00Z", last: "2026-03-01T11:00:00Z", now: "2026-03-01T11:00:05Z", next: "2026-03-01T12:00:00Z"},
		{name: "several missed", schedule: "*/10 * * * *", zone: "UTC", created: "2026-03-01T10:05:00Z", now: "2026-03-01T11:03:00Z", due: "2026-03-01T11:00:00Z", next: "2026-03-01T11:10:00Z", missed: 5},
		{name: "years missed", schedule: "* * * * *", zone: "UTC", created: "2016-03-01T10:05:00Z", now: "2026-03-01T11:03:00Z", due: "2026-03-01T11:03:00Z", next: "2026-03-01T11:04:00Z", missed: 5258937},
		{name: "uneven", schedule: "30 6-16/4 * * 1-5", zone: "UTC", created: "2026-02-02T05:00:00Z", now: "2026-03-01T11:03:00Z", due: "2026-02-27T14:30:00Z", next: "2026-03-02T06:30:00Z", missed: 163},
		{name: "time zone", schedule: "0 8 * * *", zone: "Europe/Berlin", created: "2026-01-01T00:00:00Z", now: "2026-01-01T07:00:00Z", due: "2026-01-01T07:00:00Z", next: "2026-01-02T07:00:00Z"},
		{name: "every", schedule: "@every 90m", zone: "UTC", created: "2026-03-01T10:05:00Z", now: "2026-03-01T18:00:00Z", due: "2026-03-01T17:35:00Z", next: "2026-03-01T19:05:00Z", missed: 4},
		{name: "deadline", schedule: "0 * * * *", zone: "UTC", created: "2026-03-01T10:05:00Z", now: "2026-03-01T11:30:00Z", deadline: 600, next: "2026-03-01T12:00:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cj := &batchv1.CronJob{
				Metadata: &metav1.ObjectMeta{CreationTimestamp: apitime.Of(clock(tc.created))},
				Spec:     &batchv1.CronJobSpec{Schedule: tc.schedule, TimeZone: &tc.zone}, Status: &batchv1.CronJobStatus{},
			}
			if tc.last != "" {
				cj.Status.LastScheduleTime = apitime.Of(clock(tc.last))
			}
			if tc.deadline > 0 {
				cj.Spec.StartingDeadlineSeconds = proto.Int64(tc.deadline)
			}
			schedule, err := parse(cj)
			if err != nil {
				t.Fatal(err)
			}
			m, err := at(cj, schedule, clock(tc.now))
			if err != nil {
				t.Fatal(err)
			}
			due := ""
			if !m.due.IsZero() {
				due = m.due.UTC().Format(time.RFC3339)
			}
			if next := m.next.UTC().Format(time.RFC3339); due != tc.due || next != tc.next || m.missed != tc.missed {
				t.Errorf("due %s, next %s, missed %d", due, next, m.missed)
			}
		})
	}
}

func TestBadSchedules(t *testing.T) {
	for _, s := range []string{"", "* * * *", "TZ=", "TZ=0", "@never", "61 * * * *"} {
		if _, err := parse(&batchv1.CronJob{Spec: &batchv1.CronJobSpec{Schedule: s}}); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
	cj := &batchv1.CronJob{
		Metadata: &metav1.ObjectMeta{CreationTimestamp: apitime.Of(clock("2026-03-01T10:05:00Z"))}, Spec: &batchv1.CronJobSpec{Schedule: "0 0 31 2 *"},
	}
	schedule, err := parse(cj)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := at(cj, schedule, clock("2026-03-01T10:05:00Z")); err == nil {
		t.Error("the 31st of February comes")
	}
}
