package controllertest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/apitime"
	"github.com/keelson/keelson/proto/sdk/client"
	"google.golang.org/protobuf/proto"
)

// cronJob makes a CronJob whose last run was at a time; the next hour's first minute is not near.
func (c *Cluster) cronJob(name, policy string, last time.Time) {
	c.t.Helper()
	apitest.Create(c.t, c.Server, &batchv1.CronJob{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: &batchv1.CronJobSpec{
			Schedule: "0 * * * *", ConcurrencyPolicy: policy, Suspend: proto.Bool(true),
			JobTemplate: &batchv1.JobTemplateSpec{
				Metadata: &metav1.ObjectMeta{Labels: map[string]string{"of": name}},
				Spec:     plainJob(),
			},
		},
	})
	c.due(name, last)
}

// plainJob is a Job's spec whose selector the server makes.
func plainJob() *batchv1.JobSpec {
	return &batchv1.JobSpec{Template: &corev1.PodTemplateSpec{
		Spec: &corev1.PodSpec{RestartPolicy: "Never", Containers: []*corev1.Container{{Name: "c", Image: "i"}}},
	}}
}

// due sets the time of the last run, and lets the CronJob go on.
func (c *Cluster) due(name string, last time.Time) {
	c.t.Helper()
	crons := client.For[*batchv1.CronJob](c.Conn)
	c.Retry(func(ctx context.Context) error {
		cj, err := crons.Get(ctx, "default", name)
		if err != nil {
			return err
		}
		if cj.Status == nil {
			cj.Status = &batchv1.CronJobStatus{}
		}
		cj.Status.LastScheduleTime = apitime.Of(last)
		_, err = crons.UpdateStatus(ctx, cj)
		return err
	})
	c.Retry(func(ctx context.Context) error {
		_, err := crons.Patch(ctx, "default", name, client.MergePatch, []byte(`{"spec":{"suspend":false}}`))
		return err
	})
}

func TestCronJob(t *testing.T) {
	c := Start(t, nil, "cronjob", "job", "garbagecollector")
	c.Nodes("n1")
	c.RunPodsAs(func(p *corev1.Pod) *corev1.PodStatus {
		if strings.HasPrefix(p.GetMetadata().GetLabels()["batch.kubernetes.io/job-name"], "tidy-") {
			return ended(0)
		}
		return &corev1.PodStatus{Phase: "Running"}
	}, "n1")
	hour := time.Now().Truncate(time.Hour)
	name := func(cron string, at time.Time) string { return fmt.Sprintf("%s-%d", cron, at.Unix()/60) }

	c.cronJob("tidy", "Allow", hour.Add(-3*time.Hour))
	cj := apitest.Await(t, c.Server, "default", "tidy", func(cj *batchv1.CronJob) bool { return !apitime.IsZero(cj.GetStatus().GetLastSuccessfulTime()) })
	if !apitime.Go(cj.GetStatus().GetLastScheduleTime()).Equal(hour) || len(cj.GetStatus().GetActive()) != 0 {
		t.Errorf("status %v", cj.GetStatus())
	}
	jobs := list[*batchv1.Job](t, c, client.ListOptions{Namespace: "default", LabelSelector: "of=tidy"})
	if len(jobs) != 1 || jobs[0].GetMetadata().GetName() != name("tidy", hour) ||
		jobs[0].GetMetadata().GetAnnotations()["batch.kubernetes.io/cronjob-scheduled-timestamp"] != hour.UTC().Format(time.RFC3339) {
		t.Errorf("jobs %v", jobs)
	}

	c.cronJob("forbid", "Forbid", hour.Add(-time.Hour))
	apitest.Await(t, c.Server, "default", "forbid", func(cj *batchv1.CronJob) bool { return len(cj.GetStatus().GetActive()) == 1 })
	c.cronJob("replace", "Replace", hour.Add(-time.Hour))
	first := apitest.Await(t, c.Server, "default", "replace", func(cj *batchv1.CronJob) bool { return len(cj.GetStatus().GetActive()) == 1 })

	// The same hour comes again, after its Job is gone: the name is free, and what runs is replaced.
	apitest.Await(t, c.Server, "default", name("replace", hour), func(j *batchv1.Job) bool { return j.GetStatus().GetActive() == 1 })
	if err := client.For[*batchv1.Job](c.Conn).Delete(t.Context(), "default", name("replace", hour), client.DeleteOptions{PropagationPolicy: client.Background}); err != nil {
		t.Fatal(err)
	}
	c.due("replace", hour.Add(-time.Hour))
	apitest.Await(t, c.Server, "default", "replace", func(cj *batchv1.CronJob) bool {
		a := cj.GetStatus().GetActive()
		return len(a) == 1 && a[0].GetUid() != first.GetStatus().GetActive()[0].GetUid()
	})
}

// TestCronJobHistory keeps the last three that succeeded and the last that failed.
func TestCronJobHistory(t *testing.T) {
	c := New(t)
	cj := apitest.Create(t, c.Server, &batchv1.CronJob{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: "old"},
		Spec:     &batchv1.CronJobSpec{Schedule: "0 0 1 1 *", JobTemplate: &batchv1.JobTemplateSpec{Spec: plainJob()}},
	})
	now := time.Now()
	for i := range 8 {
		j := newJob(fmt.Sprintf("old-%d", i), nil)
		j.Metadata.OwnerReferences = []*metav1.OwnerReference{{
			ApiVersion: "batch/v1", Kind: "CronJob", Name: "old", Uid: cj.GetMetadata().GetUid(), Controller: proto.Bool(true),
		}}
		j = apitest.Create(t, c.Server, j)
		at := apitime.Of(now.Add(time.Duration(i) * time.Minute))
		j.Status = &batchv1.JobStatus{StartTime: at}
		kinds := []string{"SuccessCriteriaMet", "Complete"}
		if i < 3 {
			kinds = []string{"FailureTarget", "Failed"}
		} else {
			j.Status.CompletionTime = at
		}
		for _, kind := range kinds {
			j.Status.Conditions = append(j.Status.Conditions, &batchv1.JobCondition{Type: kind, Status: "True", LastTransitionTime: at})
		}
		if _, err := client.For[*batchv1.Job](c.Conn).UpdateStatus(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	c.Run(nil, "cronjob")
	for _, gone := range []string{"old-0", "old-1", "old-3", "old-4"} {
		apitest.AwaitGone[*batchv1.Job](t, c.Server, "default", gone)
	}
	if left := list[*batchv1.Job](t, c, client.ListOptions{Namespace: "default"}); len(left) != 4 {
		t.Errorf("%d jobs are left", len(left))
	}
}
