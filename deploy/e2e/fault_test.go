package e2e

import (
	"strings"
	"testing"
	"time"
)

func TestKilledComponents(t *testing.T) {
	ns := namespace(t)
	apply(t, hello(ns, 3, "v0"))
	kubectl(t, "-n", ns, "rollout", "status", "deployment/hello", "--timeout=90s")
	bystander := strings.ReplaceAll(hello(ns, 2, "v0"), "hello", "bystander")
	apply(t, bystander)
	kubectl(t, "-n", ns, "rollout", "status", "deployment/bystander", "--timeout=90s")
	containers := func() string {
		return kubectl(t, "-n", ns, "get", "pods", "-l", "app=bystander", "--sort-by=.metadata.name", "-o",
			`jsonpath={range .items[*]}{.metadata.name}={.status.containerStatuses[0].containerID} {end}`)
	}
	before := containers()

	victims := []struct {
		name   string
		scopes []string
	}{
		{"apiserver", []string{""}}, {"scheduler", []string{""}}, {"controller-manager", []string{""}},
		{"kubelet", nodes}, {"proxy", nodes},
	}
	rollout := func(version string, kill func()) {
		apply(t, hello(ns, 3, version))
		kill()
		if err := shared.up(); err != nil {
			t.Fatal(err)
		}
		kubectl(t, "-n", ns, "rollout", "status", "deployment/hello", "--timeout=120s")
		got := kubectl(t, "-n", ns, "get", "deployment", "hello", "-o", "jsonpath={.spec.template.spec.containers[0].command[2]}")
		if got != version {
			t.Errorf("the acknowledged write of %s is lost: %s", version, got)
		}
		if after := containers(); after != before {
			t.Errorf("another container was restarted:\nbefore %s\nafter  %s", before, after)
		}
	}
	for _, v := range victims {
		t.Run(v.name, func(*testing.T) {
			rollout("after-"+v.name, func() {
				for _, scope := range v.scopes {
					shared.kill(t, scope, v.name)
				}
			})
		})
	}
	t.Run("all at once", func(*testing.T) {
		rollout("after-all", func() {
			for _, v := range victims {
				for _, scope := range v.scopes {
					shared.kill(t, scope, v.name)
				}
			}
		})
	})
}

func TestNodeFailure(t *testing.T) {
	ns := namespace(t)
	apply(t, hello(ns, 3, "v1"))
	kubectl(t, "-n", ns, "rollout", "status", "deployment/hello", "--timeout=90s")
	moved := kubectl(t, "-n", ns, "get", "pods", "-l", "app=hello", "--field-selector=spec.nodeName=node-3", "-o", "jsonpath={.items[*].metadata.uid}")
	if moved == "" {
		t.Fatal("no pod runs on node-3")
	}
	shared.kill(t, "node-3", "kubelet")
	kubectl(t, "wait", "--for=condition=Ready=Unknown", "node/node-3", "--timeout=120s")
	if out := kubectl(t, "get", "nodes"); !strings.Contains(out, "NotReady") {
		t.Errorf("get nodes:\n%s", out)
	}
	eventually(t, 90*time.Second, "three pods run on the other nodes", func() bool {
		out := kubectl(t, "-n", ns, "get", "pods", "-l", "app=hello", "-o", `jsonpath={range .items[?(@.status.phase=="Running")]}{.spec.nodeName} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}`)
		return strings.Count(out, "node-1 True")+strings.Count(out, "node-2 True") == 3
	})
	if err := shared.up(); err != nil {
		t.Fatal(err)
	}
	kubectl(t, "wait", "--for=condition=Ready", "node/node-3", "--timeout=60s")
	eventually(t, 60*time.Second, "the node stopped what was moved", func() bool {
		out := kubectl(t, "-n", ns, "get", "pods", "-l", "app=hello", "-o", "jsonpath={.items[*].metadata.uid}")
		return !strings.Contains(out, moved) && len(strings.Fields(out)) == 3
	})
}
