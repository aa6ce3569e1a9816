package ecosystem

import (
	"strings"
	"testing"
)

// Helm installs, tests, upgrades, rolls back and uninstalls a chart with a custom kind, hooks and a test.
func TestHelm(t *testing.T) {
	for _, helm := range []string{"helm3", "helm4"} {
		t.Run(helm, func(t *testing.T) {
			ns := namespace(t)
			t.Cleanup(func() { prints(t, "kubectl", "delete crd notes.chart.example.com --ignore-not-found") })
			h := func(args string, parts ...string) string { return prints(t, helm, "-n "+ns+" "+args, parts...) }
			kubectl := func(args string, parts ...string) string { return prints(t, "kubectl", "-n "+ns+" "+args, parts...) }

			h("install web testdata/site --wait --wait-for-jobs --timeout 120s", "STATUS: deployed", "web shows first.")
			kubectl("get deployment web -o jsonpath={.status.readyReplicas}", "1")
			kubectl("get note web -o jsonpath={.text}", "first")
			kubectl("logs job/web-pre-install", "pre-install of web 1")
			h("test web --timeout 120s --logs", "Phase:", "Succeeded", "first")
			h("list", "web", "deployed", "site-0.1.0")
			h("get manifest web", "kind: Deployment", "kind: Note")

			h("upgrade web testdata/site --set page=second,replicas=2 --wait --timeout 120s", "STATUS: deployed", "web shows second.")
			kubectl("get deployment web -o jsonpath={.status.readyReplicas}", "2")
			kubectl("logs job/web-post-upgrade", "post-upgrade of web 2")
			h("test web --timeout 120s", "Succeeded")

			out, err := try(t, "", helm, "-n", ns, "upgrade", "web", "testdata/site", "--set", "replicas=-1")
			if err == nil || !strings.Contains(out, "spec.replicas") {
				t.Errorf("an upgrade to a wrong value: %v\n%s", err, out)
			}
			h("history web", "superseded", "failed", "deployed")
			h("rollback web 1 --wait --timeout 120s", "Rollback was a success")
			kubectl("get deployment,configmap web -o jsonpath={.items[0].status.readyReplicas},{.items[1].data.index\\.html}", "1,first")
			kubectl("get note web -o jsonpath={.text}", "first")

			h("upgrade --install other testdata/site --set page=third --dry-run=server", "third")
			h("uninstall web --wait --timeout 120s", `release "web" uninstalled`)
			vanishes(t, "-n "+ns+" get deployments,services,ingresses,poddisruptionbudgets,notes,roles,rolebindings -o name -l app.kubernetes.io/managed-by=Helm")
			kubectl("get crd notes.chart.example.com", "notes.chart.example.com")
		})
	}
}
