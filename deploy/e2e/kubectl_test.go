package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The commands that only read.
func TestKubectlReads(t *testing.T) {
	everyKubectl(t, func(t *testing.T, k program) {
		k.prints(t, "get nodes -o wide", "INTERNAL-IP", "CONTAINER-RUNTIME", "containerd://", "Ready")
		k.prints(t, "get all -A", "service/kubernetes", "pod/", "deployment.apps/", "replicaset.apps/")
		k.prints(t, "api-resources", "deployments", "deploy", "apps/v1", "Deployment")
		k.prints(t, "api-resources --verbs=list --namespaced -o name", "deployments.apps\n", "pods\n", "configmaps\n")
		k.prints(t, "api-versions", "apps/v1\n", "v1\n")
		k.prints(t, "explain deployment.spec.strategy --recursive", "GROUP:", "apps", "KIND:", "Deployment", "rollingUpdate", "maxSurge", "maxUnavailable")
		k.prints(t, "explain pod.spec.containers.livenessProbe", "FIELD: livenessProbe <Probe>", "DESCRIPTION:", "periodSeconds")
		k.refuses(t, "explain pod.spec.nothing", `field "nothing" does not exist`)
		k.prints(t, "version", "Server Version: v1.37")
		k.prints(t, "cluster-info", "is running at")
		k.prints(t, "auth can-i create pods", "yes")
		k.prints(t, "auth can-i --list", "*.*")
		k.refuses(t, "auth can-i get secrets --as=jane", "no")
		k.prints(t, "auth whoami", "kubernetes-admin", "system:masters")
		k.refuses(t, "top nodes", "Metrics API not available")
		k.refuses(t, "get pod none", `pods "none" not found`)
		k.prints(t, "get pods", "No resources found in "+k.namespace+" namespace.")
	})
}

const configMaps = `
apiVersion: v1
kind: ConfigMap
metadata: {name: one, labels: {app: a, num: "1"}}
data: {a: b}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: two, labels: {app: a, num: "2"}}
data: {a: a, b: c}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: three, labels: {app: b, num: "3"}}
data: {a: c}
`

// The commands that write objects and print them.
func TestKubectlObjects(t *testing.T) {
	everyKubectl(t, func(t *testing.T, k program) {
		file := filepath.Join(t.TempDir(), "maps.yaml")
		if err := os.WriteFile(file, []byte(configMaps), 0o600); err != nil {
			t.Fatal(err)
		}
		k.prints(t, "apply -f "+file, "configmap/one created", "configmap/two created", "configmap/three created")
		k.prints(t, "apply -f "+file, "configmap/one unchanged", "configmap/three unchanged")
		k.prints(t, "diff -f "+file)
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(configMaps, "{a: b}", "{z: b}")), 0o600); err != nil {
			t.Fatal(err)
		}
		k.refuses(t, "diff -f "+file, "-  a: b\n", "+  z: b\n")
		k.prints(t, "apply -f "+file, "configmap/one configured", "configmap/two unchanged")
		k.prints(t, "get cm one -o jsonpath={.data}", `{"z":"b"}`)

		t.Run("server side", func(t *testing.T) {
			mine := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"shared"},"data":{"a":"1"}}`
			theirs := strings.Replace(mine, `"1"`, `"2"`, 1)
			if out := k.stdin(t, mine, "apply --server-side -f -"); !strings.Contains(out, "configmap/shared serverside-applied") {
				t.Error(out)
			}
			k.stdin(t, mine, "apply --server-side -f -")
			out, err := tryWith(k.path, theirs, "-n", k.namespace, "apply", "--server-side", "--field-manager=other", "-f", "-")
			if err == nil || !strings.Contains(out, `conflict with "kubectl": .data.a`) || !strings.Contains(out, "--force-conflicts") {
				t.Errorf("conflict: %v\n%s", err, out)
			}
			k.stdin(t, theirs, "apply --server-side --field-manager=other --force-conflicts -f -")
			k.prints(t, "get cm shared -o jsonpath={.data.a}", "2")
			k.prints(t, "get cm shared -o yaml --show-managed-fields", "manager: other", "operation: Apply")
		})
		t.Run("print", func(t *testing.T) {
			k.prints(t, "get cm one -o yaml", "apiVersion: v1\n", "kind: ConfigMap\n", "  z: b\n")
			k.prints(t, "get cm one -o json", `"kind": "ConfigMap"`, `"z": "b"`)
			k.prints(t, "get cm -l app=a -o custom-columns=N:.metadata.name,L:.metadata.labels.num", "N ", "one", "two")
			k.prints(t, "get cm -l app=a -o name", "configmap/one\nconfigmap/two\n")
			k.prints(t, "get cm -l app~in~(a,b),num!=2 -o name", "configmap/one\nconfigmap/three\n")
			k.prints(t, "get cm -l app --sort-by={.data.a} -o name", "configmap/one\nconfigmap/two\nconfigmap/three\n")
			k.prints(t, "get cm -l app --sort-by=.metadata.labels.num -L num --no-headers", "one ", "two ", "three ")
			k.prints(t, "get cm --field-selector=metadata.name=two -o name", "configmap/two\n")
			k.prints(t, "get cm one two --show-labels", "NAME", "DATA", "AGE", "LABELS", "app=a,num=2")
			k.prints(t, "get cm --chunk-size=1 -l app -o name", "configmap/one\n", "configmap/three\n", "configmap/two\n")
			k.prints(t, "get cm,sa -o name", "configmap/one", "serviceaccount/default")
			k.prints(t, "describe cm two", "Name:", "two", "Data\n====", "b:\n----\nc")
		})
		t.Run("change", func(t *testing.T) {
			k.prints(t, "label cm one n=9 --overwrite", "configmap/one labeled")
			k.prints(t, "label cm one app-", "configmap/one unlabeled")
			k.refuses(t, "label cm one n=8", "already has a value (9), and --overwrite is false")
			k.prints(t, "annotate cm one note=a~b", "configmap/one annotated")
			k.prints(t, "get cm one -o jsonpath={.metadata.annotations.note}", "a b")
			k.prints(t, `patch cm one -p {"data":{"p":"1"}}`, "configmap/one patched")
			k.prints(t, `patch cm one --type=merge -p {"data":{"q":"2"}}`, "patched")
			k.prints(t, `patch cm one --type=json -p [{"op":"add","path":"/data/r","value":"3"}]`, "patched")
			k.prints(t, `patch cm one -p {"data":{"r":"3"}}`, "patched (no change)")
			k.prints(t, "get cm one -o jsonpath={.data}", `{"p":"1","q":"2","r":"3","z":"b"}`)
			edit := exec.Command(k.path, "-n", k.namespace, "edit", "cm", "one")
			edit.Env = environment("KUBE_EDITOR=sed -i s/q:.*/q:\\ edited/")
			if out, err := edit.CombinedOutput(); err != nil || !strings.Contains(string(out), "configmap/one edited") {
				t.Errorf("edit: %v\n%s", err, out)
			}
			k.prints(t, "get cm one -o jsonpath={.data.q}", "edited")
			replaced := k.ok(t, "get", "cm", "one", "-o", "yaml")
			if out := k.stdin(t, strings.Replace(replaced, "edited", "replaced", 1), "replace -f -"); !strings.Contains(out, "configmap/one replaced") {
				t.Error(out)
			}
			k.prints(t, "create secret generic s --from-literal=user=root --from-file="+file, "secret/s created")
			k.prints(t, "get secret s -o jsonpath={.type}~{.data.user}", "Opaque cm9vdA==")
			k.prints(t, "describe secret s", "user:", "4 bytes")
			k.prints(t, "create configmap made --from-literal=a=b --dry-run=client -o yaml", "  a: b\n")
			k.prints(t, "create configmap made --from-literal=a=b --dry-run=server", "configmap/made created (server dry run)")
			k.refuses(t, "get cm made", "not found")
			k.prints(t, "create quota none --hard=pods=1 --dry-run=client", "created (dry run)")
			k.prints(t, "create token default", ".")
		})
		t.Run("watch", func(t *testing.T) {
			watch := k.start(t, "get cm -w --output-watch-events -l app=w")
			k.ok(t, "create", "cm", "watched", "--from-literal=state=new")
			waiting := k.start(t, "wait --for=jsonpath={.data.state}=done cm/watched --timeout=60s")
			k.ok(t, "label", "cm", "watched", "app=w")
			watch.says(t, "ADDED")
			k.ok(t, "patch", "cm", "watched", "-p", `{"data":{"state":"done"}}`)
			watch.says(t, "MODIFIED")
			waiting.says(t, "condition met")
			gone := k.start(t, "wait --for=delete cm/watched --timeout=60s")
			k.ok(t, "delete", "cm", "watched")
			watch.says(t, "DELETED")
			if err := gone.cmd.Wait(); err != nil {
				t.Errorf("wait --for=delete: %v %s", err, gone.text())
			}
		})
		t.Run("delete", func(t *testing.T) {
			k.prints(t, "delete -f "+file, `configmap "one" deleted`, `configmap "two" deleted`)
			k.refuses(t, "delete -f "+file, `configmaps "one" not found`)
			k.prints(t, "delete -f "+file+" --ignore-not-found")
			k.ok(t, "apply", "-f", file)
			k.prints(t, "delete cm -l app=a", `"one" deleted`, `"two" deleted`)
			k.prints(t, "get cm three -o name", "configmap/three")
			k.prints(t, "delete secret --all", `"s" deleted`)
			k.prints(t, "delete cm three --force", `configmap "three" force deleted`)
		})
	})
}

// The commands about workloads.
func TestKubectlWorkloads(t *testing.T) {
	everyKubectl(t, func(t *testing.T, k program) {
		const status = "rollout status deployment/d --timeout=120s"
		k.prints(t, "create deployment d --image=probe:v1 --replicas=2 --port=8080 -- probe", "deployment.apps/d created")
		k.prints(t, status, `deployment "d" successfully rolled out`)
		k.prints(t, "expose deployment d --port=80 --target-port=8080 --name=web", "service/web exposed")
		k.prints(t, "get deployment d -o wide", "2/2", "CONTAINERS", "probe:v1", "app=d")
		k.prints(t, "get service web", "ClusterIP", "80/TCP")
		k.prints(t, "scale deployment d --replicas=1", "deployment.apps/d scaled")
		k.prints(t, "wait --for=jsonpath={.status.replicas}=1 deployment/d --timeout=60s", "condition met")
		k.prints(t, "get deployment d --subresource=scale", "DESIRED", "AVAILABLE")
		k.refuses(t, "scale deployment d --replicas=3 --current-replicas=7", "xpected replicas to be 7")

		// Another name of the same image.
		k.prints(t, "set image deployment/d probe=docker.io/library/probe:v1", "deployment.apps/d image updated")
		k.prints(t, status, "successfully rolled out")
		k.prints(t, "rollout history deployment/d", "REVISION", "1 ", "2 ")
		k.prints(t, "rollout history deployment/d --revision=1", "Image:\tprobe:v1")
		k.prints(t, "rollout undo deployment/d", "deployment.apps/d rolled back")
		k.prints(t, status, "successfully rolled out")
		k.prints(t, "get deployment d -o jsonpath={.spec.template.spec.containers[0].image}", "probe:v1")
		k.prints(t, "rollout pause deployment/d", "deployment.apps/d paused")
		k.prints(t, "set env deployment/d A=b", "deployment.apps/d env updated")
		k.refuses(t, "rollout restart deployment/d", "can't restart paused deployment")
		k.prints(t, "rollout resume deployment/d", "deployment.apps/d resumed")
		k.prints(t, "rollout restart deployment/d", "deployment.apps/d restarted")
		k.prints(t, status, "successfully rolled out")
		k.prints(t, "describe deployment d", "StrategyType:", "RollingUpdate", "NewReplicaSet:", "Events:", "ScalingReplicaSet")
		k.prints(t, "set resources deployment/d --limits=memory=64Mi", "resource requirements updated")
		k.prints(t, status, "successfully rolled out")
		k.prints(t, "get replicasets -l app=d", "DESIRED", "CURRENT", "READY")
		k.prints(t, "get endpoints web", ":8080")
		k.prints(t, "get endpointslices -l kubernetes.io/service-name=web", "IPv4", "8080")
		k.prints(t, "describe service web", "Endpoints:", ":8080")
		k.prints(t, "events --for=deployment/d", "ScalingReplicaSet")
		k.prints(t, "get events --field-selector=involvedObject.kind=ReplicaSet", "SuccessfulCreate")
		k.prints(t, "autoscale deployment d --max=3 --dry-run=client", "(dry run)")
		k.prints(t, "delete deployment d", `deployment.apps "d" deleted`)
		k.prints(t, "wait --for=delete pod -l app=d --timeout=60s")
	})
}

// The commands about a pod and what runs in it.
func TestKubectlPods(t *testing.T) {
	everyKubectl(t, func(t *testing.T, k program) {
		k.prints(t, "run talker --image=probe:v1 --labels=app=t --env=A=b --command -- sh -c echo~first;while~sleep~0.2;do~echo~tick;done", "pod/talker created")
		k.prints(t, "wait --for=condition=Ready pod/talker --timeout=60s", "condition met")
		k.prints(t, "get pod talker -o wide", "1/1", "Running", "NODE", "NOMINATED NODE")
		k.prints(t, "get pods --field-selector=status.phase=Running", "talker")
		k.prints(t, "get pods --field-selector=status.phase!=Running", "No resources found")
		k.prints(t, "describe pod talker", "Events:", "Scheduled", "default-scheduler", "Started", "kubelet")
		k.prints(t, "logs talker", "first\n", "tick\n")
		k.prints(t, "logs talker --tail=1", "tick\n")
		k.prints(t, "logs -l app=t --prefix --timestamps", "[pod/talker/talker] 20", "tick")
		if out := k.ok(t, "logs", "talker", "--since=1s"); strings.Contains(out, "first") || !strings.Contains(out, "tick") {
			t.Logf("a pod that is younger than a second has all its log: %q", out)
			if age := k.ok(t, "logs", "talker"); strings.Count(age, "\n") > 20 {
				t.Errorf("logs --since=1s: %q", out)
			}
		}
		follow := k.start(t, "logs -f talker --tail=1")
		follow.says(t, "tick\ntick\n")
		k.refuses(t, "logs talker --previous", `previous terminated container "talker" in pod "talker" not found`)
		k.refuses(t, "logs talker -c none", "container none is not valid for pod talker")
		k.prints(t, "exec talker -- env", "A=b\n")
		k.refuses(t, "exec talker -- sh -c exit~3", "exit code 3")

		t.Run("terminal", func(t *testing.T) {
			// The size of the terminal follows the start of the command, in Kubernetes too: it is waited for.
			line := fmt.Sprintf("%s -n %s exec -it talker -- sh -c 'tty && until stty size 2>/dev/null | grep 77; do :; done && echo read $(head -n1)'", k.path, k.namespace)
			pty := exec.Command("script", "-qec", "stty rows 31 cols 77; "+line, "/dev/null")
			pty.Env = environment("TERM=xterm")
			pty.Stdin = strings.NewReader("typed\n")
			out, err := pty.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "/dev/pts/") || !strings.Contains(string(out), "31 77") || !strings.Contains(string(out), "read typed") {
				t.Errorf("exec -it: %v\n%q", err, out)
			}
		})
		t.Run("copy", func(t *testing.T) {
			dir := t.TempDir()
			there, back := filepath.Join(dir, "there"), filepath.Join(dir, "back")
			if err := os.WriteFile(there, []byte("copied"), 0o600); err != nil {
				t.Fatal(err)
			}
			k.prints(t, "cp "+there+" talker:/tmp/x")
			k.prints(t, "exec talker -- cat /tmp/x", "copied")
			k.prints(t, "cp talker:/tmp/x "+back)
			if b, err := os.ReadFile(back); string(b) != "copied" {
				t.Errorf("copied back: %q %v", b, err)
			}
		})
		t.Run("port-forward", func(t *testing.T) {
			k.prints(t, "run server --image=probe:v1 --port=8080 --command -- probe -version forwarded")
			k.prints(t, "wait --for=condition=Ready pod/server --timeout=60s")
			forward := k.start(t, "port-forward pod/server :8080")
			forward.says(t, "Forwarding from 127.0.0.1:")
			_, port, _ := strings.Cut(forward.text(), "Forwarding from 127.0.0.1:")
			port, _, _ = strings.Cut(port, " ")
			for range 3 {
				got := fetch(t, "http://127.0.0.1:"+port+"/")
				if !strings.Contains(got, "forwarded") {
					t.Errorf("through the forwarded port: %q", got)
				}
			}
		})
		t.Run("previous", func(t *testing.T) {
			k.prints(t, "run again --image=probe:v1 --command -- sh -c echo~run~$HOSTNAME;sleep~1;exit~5")
			eventually(t, 60*time.Second, "the container was restarted", func() bool {
				return k.ok(t, "get", "pod", "again", "-o", "jsonpath={.status.containerStatuses[0].restartCount}") > "0"
			})
			k.prints(t, "logs again --previous", "run again")
			k.prints(t, "describe pod again", "Last State:", "Exit Code:    5")
			eventually(t, 60*time.Second, "the back-off is told", func() bool {
				return strings.Contains(k.ok(t, "describe", "pod", "again"), "Back-off restarting failed container") &&
					strings.Contains(k.ok(t, "get", "pod", "again"), "CrashLoopBackOff")
			})
		})
		// What has ended before kubectl attaches to it is printed from its log, for attaching is refused.
		k.prints(t, "run short --image=probe:v1 --restart=Never --rm -i --quiet -- echo once", "once")
		k.prints(t, "delete pod talker --force --grace-period=0", `pod "talker" force deleted`)
		k.prints(t, "delete pods --all --grace-period=1", `pod "server" deleted`)
		k.prints(t, "get pods", "No resources found")
	})
}

// The commands about nodes.
func TestKubectlNodes(t *testing.T) {
	everyKubectl(t, func(t *testing.T, k program) {
		all := strings.Fields(k.ok(t, "get", "nodes", "-o", "jsonpath={.items[*].metadata.name}"))
		n := all[len(all)-1]
		t.Cleanup(func() {
			_, _ = try("uncordon", n)
			_, _ = try("taint", "node", n, "e2e-")
		})
		k.prints(t, "taint node "+n+" e2e=here:NoSchedule", "node/"+n+" tainted")
		k.prints(t, "describe node "+n, "Taints:", "e2e=here:NoSchedule", "Capacity:", "Allocated resources:",
			"kubernetes.io/os=linux", "beta.kubernetes.io/os=linux", "beta.kubernetes.io/arch=")
		k.prints(t, "taint node "+n+" e2e-", "node/"+n+" untainted")
		k.prints(t, "label node "+n+" e2e=here", "labeled")
		k.prints(t, "label node "+n+" e2e-", "unlabeled")
		k.prints(t, "cordon "+n, "node/"+n+" cordoned")
		k.prints(t, "get node "+n, "Ready,SchedulingDisabled")
		k.prints(t, "uncordon "+n, "node/"+n+" uncordoned")

		apply(t, fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, namespace: %[1]s}
spec:
  replicas: 1
  selector: {matchLabels: {app: d}}
  template:
    metadata: {labels: {app: d}}
    spec:
      nodeSelector: {kubernetes.io/hostname: %[2]s}
      terminationGracePeriodSeconds: 1
      containers: [{name: c, image: "probe:v1", command: [probe], volumeMounts: [{name: scratch, mountPath: /scratch}]}]
      volumes: [{name: scratch, emptyDir: {}}]
---
apiVersion: v1
kind: Pod
metadata: {name: alone, namespace: %[1]s}
spec:
  nodeSelector: {kubernetes.io/hostname: %[2]s}
  terminationGracePeriodSeconds: 1
  containers: [{name: c, image: "probe:v1", command: [probe]}]
`, k.namespace, n))
		k.prints(t, "rollout status deployment/d --timeout=60s")
		k.prints(t, "wait --for=condition=Ready pod/alone --timeout=60s")
		first := k.ok(t, "get", "pods", "-l", "app=d", "-o", "name")
		// Only this test's pods: the other tests run on.
		k.refuses(t, "drain "+n+" --ignore-daemonsets --timeout=60s --pod-selector=app=d", "cannot delete Pods with local storage")
		k.prints(t, "drain "+n+" --ignore-daemonsets --delete-emptydir-data --timeout=60s --pod-selector=app=d", "evicting pod "+k.namespace+"/", "node/"+n+" drained")
		k.prints(t, "get node "+n, "SchedulingDisabled")
		eventually(t, 30*time.Second, "the replacement waits", func() bool {
			now := k.ok(t, "get", "pods", "-l", "app=d", "-o", "jsonpath={.items[*].metadata.name}")
			return !strings.Contains(first, strings.Fields(now + " ?")[0])
		})
		k.prints(t, "describe pod -l app=d", "FailedScheduling", "node(s) were unschedulable")
		k.prints(t, "uncordon "+n)
		k.prints(t, "rollout status deployment/d --timeout=60s", "successfully rolled out")
		k.refuses(t, "drain "+n+" --ignore-daemonsets --timeout=60s --delete-emptydir-data --dry-run=server --pod-selector=!app", "declare no controller")
		k.ok(t, "uncordon", n)
	})
}
