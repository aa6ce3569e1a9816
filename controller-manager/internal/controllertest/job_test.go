package controllertest

import (
	"context"
	"strings"
	"sync"
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

// newJob makes a Job with a selector of its own, whether or not the server makes one.
func newJob(name string, change func(*batchv1.JobSpec)) *batchv1.Job {
	labels := map[string]string{"batch.kubernetes.io/job-name": name}
	j := &batchv1.Job{
		Metadata: &metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: &batchv1.JobSpec{ManualSelector: proto.Bool(true), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: &corev1.PodTemplateSpec{
			Metadata: &metav1.ObjectMeta{Labels: labels},
			Spec:     &corev1.PodSpec{RestartPolicy: "Never", Containers: []*corev1.Container{{Name: "c", Image: "i"}}},
		}},
	}
	if change != nil {
		change(j.Spec)
	}
	return j
}

// ended is the status of a pod whose container ended long enough ago that nothing waits to replace it.
func ended(exit int32) *corev1.PodStatus {
	phase := "Succeeded"
	if exit != 0 {
		phase = "Failed"
	}
	return &corev1.PodStatus{Phase: phase, ContainerStatuses: []*corev1.ContainerStatus{{
		Name: "c", Image: "i", State: &corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: exit, FinishedAt: apitime.Of(time.Now().Add(-time.Hour)),
		}},
	}}}
}

func jobIs(kind, reason string) func(*batchv1.Job) bool {
	return func(j *batchv1.Job) bool {
		for _, c := range j.GetStatus().GetConditions() {
			if c.GetType() == kind && c.GetStatus() == "True" && (reason == "" || c.GetReason() == reason) {
				return true
			}
		}
		return false
	}
}

// podsOf lists a Job's pods; none may hold the finalizer once the Job is over.
func podsOf(t *testing.T, c *Cluster, job string) []*corev1.Pod {
	t.Helper()
	return list[*corev1.Pod](t, c, client.ListOptions{Namespace: "default", LabelSelector: "batch.kubernetes.io/job-name=" + job})
}

func checkCounters(t *testing.T, j *batchv1.Job, succeeded, failed int32) {
	t.Helper()
	s := j.GetStatus()
	if s.GetSucceeded() != succeeded || s.GetFailed() != failed || s.GetActive() != 0 || s.GetTerminating() != 0 || s.GetReady() != 0 ||
		len(s.GetUncountedTerminatedPods().GetSucceeded())+len(s.GetUncountedTerminatedPods().GetFailed()) != 0 {
		t.Errorf("%s: want %d succeeded and %d failed, status %v", j.GetMetadata().GetName(), succeeded, failed, s)
	}
}

func TestJobCompletes(t *testing.T) {
	c := Start(t, nil, "job")
	c.Nodes("n1")
	c.RunPodsAs(func(*corev1.Pod) *corev1.PodStatus { return ended(0) }, "n1")
	apitest.Create(t, c.Server, newJob("one", nil))
	apitest.Create(t, c.Server, newJob("many", func(s *batchv1.JobSpec) { s.Completions, s.Parallelism = proto.Int32(30), proto.Int32(7) }))
	apitest.Create(t, c.Server, newJob("none", func(s *batchv1.JobSpec) { s.Completions = proto.Int32(0) }))
	for name, n := range map[string]int32{"one": 1, "many": 30, "none": 0} {
		j := apitest.Await(t, c.Server, "default", name, jobIs("Complete", "CompletionsReached"))
		checkCounters(t, j, n, 0)
		if !jobIs("SuccessCriteriaMet", "CompletionsReached")(j) || apitime.IsZero(j.GetStatus().GetCompletionTime()) || apitime.IsZero(j.GetStatus().GetStartTime()) {
			t.Errorf("%s: %v", name, j.GetStatus())
		}
		pods := podsOf(t, c, name)
		if len(pods) != int(n) {
			t.Errorf("%s: %d pods", name, len(pods))
		}
		for _, p := range pods {
			if len(p.GetMetadata().GetFinalizers()) > 0 {
				t.Errorf("%s has the finalizers %v", p.GetMetadata().GetName(), p.GetMetadata().GetFinalizers())
			}
		}
	}
}

func TestJobFails(t *testing.T) {
	c := Start(t, nil, "job")
	c.Nodes("n1")
	c.RunPodsAs(func(*corev1.Pod) *corev1.PodStatus { return ended(3) }, "n1")
	apitest.Create(t, c.Server, newJob("limit", func(s *batchv1.JobSpec) { s.BackoffLimit = proto.Int32(2) }))
	j := apitest.Await(t, c.Server, "default", "limit", jobIs("Failed", "BackoffLimitExceeded"))
	checkCounters(t, j, 0, 3)
	if !jobIs("FailureTarget", "BackoffLimitExceeded")(j) || !apitime.IsZero(j.GetStatus().GetCompletionTime()) {
		t.Errorf("status %v", j.GetStatus())
	}
	apitest.Create(t, c.Server, newJob("policy", func(s *batchv1.JobSpec) {
		s.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []*batchv1.PodFailurePolicyRule{
			{Action: "Ignore", OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: "In", Values: []int32{9}}},
			{Action: "FailJob", OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{ContainerName: proto.String("c"), Operator: "NotIn", Values: []int32{4}}},
		}}
	}))
	j = apitest.Await(t, c.Server, "default", "policy", jobIs("Failed", "PodFailurePolicy"))
	checkCounters(t, j, 0, 1)
	for _, cond := range j.GetStatus().GetConditions() {
		if !strings.HasPrefix(cond.GetMessage(), "Container c for pod default/policy-") || !strings.HasSuffix(cond.GetMessage(), " failed with exit code 3 matching FailJob rule at index 1") {
			t.Errorf("message %q", cond.GetMessage())
		}
	}
}

func TestJobIndexed(t *testing.T) {
	c := Start(t, nil, "job")
	c.Nodes("n1")
	var mu sync.Mutex
	tries := map[string]int{}
	c.RunPodsAs(func(p *corev1.Pod) *corev1.PodStatus {
		mu.Lock()
		defer mu.Unlock()
		m := p.GetMetadata()
		index := m.GetAnnotations()["batch.kubernetes.io/job-completion-index"]
		if index != m.GetLabels()["batch.kubernetes.io/job-completion-index"] || p.GetSpec().GetHostname() != m.GetLabels()["batch.kubernetes.io/job-name"]+"-"+index {
			t.Errorf("pod %v", m)
		}
		tries[m.GetLabels()["batch.kubernetes.io/job-name"]+index]++
		switch {
		case strings.HasPrefix(m.GetName(), "flaky-2-") && tries["flaky2"] < 3:
			return ended(1)
		case strings.HasPrefix(m.GetName(), "broken-1-"):
			return ended(1)
		case strings.HasPrefix(m.GetName(), "leader-") && index != "0":
			return &corev1.PodStatus{Phase: "Running"}
		}
		return ended(0)
	}, "n1")
	indexed := func(n int32, change func(*batchv1.JobSpec)) func(*batchv1.JobSpec) {
		return func(s *batchv1.JobSpec) {
			s.CompletionMode, s.Completions, s.Parallelism = proto.String("Indexed"), proto.Int32(n), proto.Int32(n)
			change(s)
		}
	}
	apitest.Create(t, c.Server, newJob("flaky", indexed(5, func(s *batchv1.JobSpec) { s.BackoffLimitPerIndex = proto.Int32(2) })))
	apitest.Create(t, c.Server, newJob("broken", indexed(4, func(s *batchv1.JobSpec) { s.BackoffLimitPerIndex = proto.Int32(1) })))
	apitest.Create(t, c.Server, newJob("leader", indexed(3, func(s *batchv1.JobSpec) {
		s.SuccessPolicy = &batchv1.SuccessPolicy{Rules: []*batchv1.SuccessPolicyRule{{SucceededIndexes: proto.String("0")}}}
	})))
	j := apitest.Await(t, c.Server, "default", "flaky", jobIs("Complete", ""))
	checkCounters(t, j, 5, 2)
	if j.GetStatus().GetCompletedIndexes() != "0-4" || j.GetStatus().GetFailedIndexes() != "" {
		t.Errorf("status %v", j.GetStatus())
	}
	j = apitest.Await(t, c.Server, "default", "broken", jobIs("Failed", "FailedIndexes"))
	checkCounters(t, j, 3, 2)
	if j.GetStatus().GetCompletedIndexes() != "0,2,3" || j.GetStatus().GetFailedIndexes() != "1" {
		t.Errorf("status %v", j.GetStatus())
	}
	j = apitest.Await(t, c.Server, "default", "leader", jobIs("Complete", "SuccessPolicy"))
	if j.GetStatus().GetSucceeded() != 1 || j.GetStatus().GetCompletedIndexes() != "0" {
		t.Errorf("status %v", j.GetStatus())
	}
	for _, p := range podsOf(t, c, "flaky") {
		for _, env := range p.GetSpec().GetContainers()[0].GetEnv() {
			if env.GetName() == "JOB_COMPLETION_INDEX" && env.GetValueFrom().GetFieldRef().GetFieldPath() != "metadata.labels['batch.kubernetes.io/job-completion-index']" {
				t.Errorf("variable %v", env)
			}
		}
	}
}

func (c *Cluster) changeJob(name string, change func(*batchv1.Job)) {
	c.t.Helper()
	c.Retry(func(ctx context.Context) error {
		jobs := client.For[*batchv1.Job](c.Conn)
		j, err := jobs.Get(ctx, "default", name)
		if err != nil {
			return err
		}
		change(j)
		_, err = jobs.Update(ctx, j)
		return err
	})
}

func TestJobSuspendAndDeadline(t *testing.T) {
	c := Start(t, nil, "job")
	c.Nodes("n1")
	c.RunPods(nil, "n1")
	apitest.Create(t, c.Server, newJob("pause", func(s *batchv1.JobSpec) { s.Suspend, s.Parallelism = proto.Bool(true), proto.Int32(3) }))
	j := apitest.Await(t, c.Server, "default", "pause", jobIs("Suspended", "JobSuspended"))
	if !apitime.IsZero(j.GetStatus().GetStartTime()) {
		t.Errorf("a suspended job has started: %v", j.GetStatus())
	}
	c.changeJob("pause", func(j *batchv1.Job) { j.Spec.Suspend = proto.Bool(false) })
	j = apitest.Await(t, c.Server, "default", "pause", func(j *batchv1.Job) bool { return j.GetStatus().GetActive() == 3 && j.GetStatus().GetReady() == 3 })
	if apitime.IsZero(j.GetStatus().GetStartTime()) || jobIs("Suspended", "")(j) {
		t.Errorf("status %v", j.GetStatus())
	}
	c.changeJob("pause", func(j *batchv1.Job) { j.Spec.Suspend = proto.Bool(true) })
	j = apitest.Await(t, c.Server, "default", "pause", func(j *batchv1.Job) bool {
		return jobIs("Suspended", "")(j) && j.GetStatus().GetActive() == 0 && j.GetStatus().GetTerminating() == 0
	})
	checkCounters(t, j, 0, 0)
	apitest.Create(t, c.Server, newJob("late", func(s *batchv1.JobSpec) { s.ActiveDeadlineSeconds = proto.Int64(1) }))
	j = apitest.Await(t, c.Server, "default", "late", jobIs("Failed", "DeadlineExceeded"))
	checkCounters(t, j, 0, 1)
}

// TestJobDeleted is a Job that is deleted while its pods run, and one that leaves them behind.
func TestJobDeleted(t *testing.T) {
	c := Start(t, nil, "job", "garbagecollector")
	c.Nodes("n1")
	c.RunPods(nil, "n1")
	for name, policy := range map[string]string{"background": client.Background, "foreground": client.Foreground, "orphan": client.Orphan} {
		apitest.Create(t, c.Server, newJob(name, func(s *batchv1.JobSpec) { s.Parallelism = proto.Int32(2) }))
		apitest.Await(t, c.Server, "default", name, func(j *batchv1.Job) bool { return j.GetStatus().GetReady() == 2 })
		pods := podsOf(t, c, name)
		if err := client.For[*batchv1.Job](c.Conn).Delete(t.Context(), "default", name, client.DeleteOptions{PropagationPolicy: policy}); err != nil {
			t.Fatal(err)
		}
		apitest.AwaitGone[*batchv1.Job](t, c.Server, "default", name)
		for _, p := range pods {
			if policy == client.Orphan {
				apitest.Await(t, c.Server, "default", p.GetMetadata().GetName(), func(p *corev1.Pod) bool { return len(p.GetMetadata().GetFinalizers()) == 0 })
			} else {
				apitest.AwaitGone[*corev1.Pod](t, c.Server, "default", p.GetMetadata().GetName())
			}
		}
	}
}

// TestJobThroughFaults cuts connections and restarts the server while a Job runs: no pod is counted twice or never.
func TestJobThroughFaults(t *testing.T) {
	c := New(t)
	stop := c.Run(nil, "job")
	c.Nodes("n1")
	var mu sync.Mutex
	failures := int32(0)
	c.RunPodsAs(func(p *corev1.Pod) *corev1.PodStatus {
		mu.Lock()
		defer mu.Unlock()
		if uid := p.GetMetadata().GetUid(); uid[0] < '4' {
			return ended(1)
		}
		return ended(0)
	}, "n1")
	apitest.Create(t, c.Server, newJob("many", func(s *batchv1.JobSpec) {
		s.Completions, s.Parallelism, s.BackoffLimit = proto.Int32(150), proto.Int32(20), proto.Int32(1000)
	}))
	for n := int32(20); n < 150; n += 30 {
		apitest.Await(t, c.Server, "default", "many", func(j *batchv1.Job) bool { return j.GetStatus().GetSucceeded() >= n })
		stop()
		stop = c.Run(nil, "job")
	}
	j := apitest.Await(t, c.Server, "default", "many", jobIs("Complete", ""))
	for _, p := range podsOf(t, c, "many") {
		if p.GetStatus().GetPhase() == "Failed" {
			failures++
		}
	}
	checkCounters(t, j, 150, failures)
}

func TestJobTTL(t *testing.T) {
	c := Start(t, nil, "job", "ttlafterfinished", "garbagecollector")
	c.Nodes("n1")
	c.RunPodsAs(func(*corev1.Pod) *corev1.PodStatus { return ended(0) }, "n1")
	apitest.Create(t, c.Server, newJob("kept", func(s *batchv1.JobSpec) { s.TtlSecondsAfterFinished = proto.Int32(3600) }))
	apitest.Create(t, c.Server, newJob("short", func(s *batchv1.JobSpec) { s.TtlSecondsAfterFinished = proto.Int32(1) }))
	apitest.AwaitGone[*batchv1.Job](t, c.Server, "default", "short")
	if left := podsOf(t, c, "short"); len(left) > 0 {
		t.Errorf("%d pods are left", len(left))
	}
	apitest.Await(t, c.Server, "default", "kept", jobIs("Complete", ""))
}
