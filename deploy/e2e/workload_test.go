package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// hello is a Deployment of the probe's server with its Service.
func hello(namespace string, replicas int, version string) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: hello, namespace: %[1]s}
spec:
  replicas: %[2]d
  selector: {matchLabels: {app: hello}}
  strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
  template:
    metadata: {labels: {app: hello}}
    spec:
      tolerations:
        - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 1}
        - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 1}
      containers:
        - name: hello
          image: probe:v1
          command: [probe, -version, %[3]s]
          ports: [{containerPort: 8080}]
          readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: hello, namespace: %[1]s}
spec:
  selector: {app: hello}
  ports: [{port: 80, targetPort: 8080}]
`, namespace, replicas, version)
}

// client is a pod that waits for commands, on a node.
func client(namespace, name, node string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: %s}
spec:
  nodeSelector: {kubernetes.io/hostname: %s}
  terminationGracePeriodSeconds: 0
  containers: [{name: client, image: "probe:v1", command: [sleep, "100000"]}]
`, name, namespace, node)
}

var nodes = []string{"node-1", "node-2", "node-3"}

func TestExampleFromEveryNode(t *testing.T) {
	ns := namespace(t)
	for _, n := range nodes {
		apply(t, client(ns, "on-"+n, n))
	}
	for _, n := range nodes {
		kubectl(t, "-n", ns, "wait", "--for=condition=Ready", "pod/on-"+n, "--timeout=60s")
		address := kubectl(t, "-n", "shop", "get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
		for _, host := range []string{address, "web.shop", "web.shop.svc.cluster.local"} {
			page := kubectl(t, "-n", ns, "exec", "on-"+n, "--", "wget", "-q", "-O", "-", "http://"+host+"/")
			if !strings.Contains(page, "Welcome to the shop on Keelson") {
				t.Errorf("from %s, http://%s/ answers %q", n, host, page)
			}
		}
	}
	backends := kubectl(t, "-n", "shop", "get", "pods", "-l", "app=backend", "-o", "jsonpath={.items[*].spec.nodeName}")
	for _, n := range nodes {
		if !strings.Contains(backends, n) {
			t.Errorf("three backends run on %s, want one on each node", backends)
		}
	}
}

func TestRollingUpdateLosesNothing(t *testing.T) {
	ns := namespace(t)
	apply(t, hello(ns, 4, "v1"))
	kubectl(t, "-n", ns, "rollout", "status", "deployment/hello", "--timeout=90s")
	apply(t, strings.ReplaceAll(client(ns, "load", "node-1"), `command: [sleep, "100000"]`, `command: [probe, -load, "http://hello/"]`))
	kubectl(t, "-n", ns, "wait", "--for=condition=Ready", "pod/load", "--timeout=60s")
	for _, version := range []string{"v2", "v3"} {
		apply(t, hello(ns, 4, version))
		kubectl(t, "-n", ns, "rollout", "status", "deployment/hello", "--timeout=120s")
	}
	eventually(t, 30*time.Second, "the old pods are gone", func() bool {
		return strings.Count(kubectl(t, "-n", ns, "get", "pods", "-l", "app=hello", "-o", "name"), "\n") == 4
	})
	log := kubectl(t, "-n", ns, "logs", "load", "--tail=-1")
	sent, lost := lastCount(t, log)
	if lost != 0 || sent < 500 {
		t.Errorf("sent %d, lost %d:\n%s", sent, lost, grep(log, "lost:"))
	}
}

func lastCount(t *testing.T, log string) (sent, lost int) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(log), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if n, _ := fmt.Sscanf(lines[i], "sent %d lost %d", &sent, &lost); n == 2 {
			return sent, lost
		}
	}
	t.Fatalf("no count in the log:\n%s", log)
	return 0, 0
}

func grep(text, word string) string {
	var out []string
	for _, l := range strings.Split(text, "\n") {
		if strings.Contains(l, word) {
			out = append(out, l)
		}
	}
	return strings.Join(out[:min(len(out), 20)], "\n")
}

func TestSelfHealing(t *testing.T) {
	ns := namespace(t)
	apply(t, hello(ns, 2, "v1"))
	kubectl(t, "-n", ns, "rollout", "status", "deployment/hello", "--timeout=90s")
	pods := strings.Fields(kubectl(t, "-n", ns, "get", "pods", "-l", "app=hello", "-o", "jsonpath={.items[*].metadata.name}"))

	// A container that ends is started again, in its pod.
	_, _ = try("-n", ns, "exec", pods[0], "--", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/exit")
	eventually(t, 30*time.Second, "the container was restarted", func() bool {
		return kubectl(t, "-n", ns, "get", "pod", pods[0], "-o", "jsonpath={.status.containerStatuses[0].restartCount}") == "1"
	})
	last := kubectl(t, "-n", ns, "get", "pod", pods[0], "-o", "jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}")
	if last != "3" {
		t.Errorf("exit code of the last state: %q, want 3", last)
	}
	if log := kubectl(t, "-n", ns, "logs", "--previous", pods[0]); !strings.Contains(log, "serving v1") {
		t.Errorf("the log before: %q", log)
	}

	// A pod that is deleted is replaced.
	kubectl(t, "-n", ns, "delete", "pod", pods[1], "--grace-period=1")
	kubectl(t, "-n", ns, "rollout", "status", "deployment/hello", "--timeout=60s")
	now := kubectl(t, "-n", ns, "get", "pods", "-l", "app=hello", "-o", "jsonpath={.items[*].metadata.name}")
	if strings.Contains(now, pods[1]) || len(strings.Fields(now)) != 2 {
		t.Errorf("pods now: %s", now)
	}
}

func TestLogsAndExec(t *testing.T) {
	ns := namespace(t)
	apply(t, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: talker, namespace: %s}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: talker
      image: probe:v1
      command: [sh, -c, 'for i in 1 2 3 4 5; do echo line $i; done; sleep 100000']
`, ns))
	kubectl(t, "-n", ns, "wait", "--for=condition=Ready", "pod/talker", "--timeout=60s")
	if got := kubectl(t, "-n", ns, "logs", "talker", "--tail=2"); got != "line 4\nline 5\n" {
		t.Errorf("logs --tail=2: %q", got)
	}
	if got := kubectl(t, "-n", ns, "exec", "talker", "--", "sh", "-c", "echo out; echo err >&2"); !strings.Contains(got, "out\n") || !strings.Contains(got, "err\n") {
		t.Errorf("exec: %q", got)
	}
	if out, err := try("-n", ns, "exec", "talker", "--", "sh", "-c", "exit 7"); err == nil || !strings.Contains(out, "exit code 7") {
		t.Errorf("exec with exit code 7: %v, %q", err, out)
	}
	if out, err := try("-n", ns, "exec", "talker", "--", "no-such-command"); err == nil || !strings.Contains(out, "no-such-command") {
		t.Errorf("exec of a command that does not exist: %v, %q", err, out)
	}
	out, err := tryWith(shared.bin+"/kubectl", "echo from-stdin\n", "-n", ns, "exec", "-i", "talker", "--", "sh")
	if err != nil || !strings.Contains(out, "from-stdin") {
		t.Errorf("exec -i: %v, %q", err, out)
	}
}

func TestWrongImageAndCommand(t *testing.T) {
	ns := namespace(t)
	apply(t, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: no-image, namespace: %[1]s}
spec: {containers: [{name: c, image: "127.0.0.1:9/none:v1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: never-pulled, namespace: %[1]s}
spec: {containers: [{name: c, image: "none:v1", imagePullPolicy: Never}]}
---
apiVersion: v1
kind: Pod
metadata: {name: no-command, namespace: %[1]s}
spec: {containers: [{name: c, image: "probe:v1", command: [no-such-command]}]}
`, ns))
	for pod, reasons := range map[string][]string{
		"no-image": {"ErrImagePull", "ImagePullBackOff"}, "never-pulled": {"ErrImageNeverPull"},
		"no-command": {"RunContainerError", "CreateContainerError", "CrashLoopBackOff", "StartError"},
	} {
		eventually(t, 40*time.Second, pod+" says why it does not run", func() bool {
			status := kubectl(t, "-n", ns, "get", "pod", pod)
			for _, r := range reasons {
				if strings.Contains(status, r) {
					return true
				}
			}
			return false
		})
	}
	if out := kubectl(t, "-n", ns, "describe", "pod", "no-command"); !strings.Contains(out, "no-such-command") {
		t.Errorf("describe does not name the command:\n%s", out)
	}
}
