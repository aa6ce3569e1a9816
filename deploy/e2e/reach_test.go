package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// What leads from the API server into pods and nodes, besides logs and exec.
func TestKubectlReaches(t *testing.T) {
	everyKubectl(t, func(t *testing.T, k program) {
		k.prints(t, "run server --image=probe:v1 --port=8080 --labels=app=server --command -- probe -version reached")
		k.prints(t, "wait --for=condition=Ready pod/server --timeout=60s")
		k.prints(t, "expose pod server --port=80 --target-port=8080 --name=front")
		node := k.ok(t, "get", "pod", "server", "-o", "jsonpath={.spec.nodeName}")
		pods, services := "/api/v1/namespaces/"+k.namespace+"/pods/", "/api/v1/namespaces/"+k.namespace+"/services/"

		t.Run("proxy", func(t *testing.T) {
			k.prints(t, "get --raw "+pods+"server/proxy/", "reached")
			k.prints(t, "get --raw "+pods+"http:server:8080/proxy/", "reached")
			k.refuses(t, "get --raw "+pods+"server:9/proxy/", "error trying to reach service: ", "connection refused")
			k.refuses(t, "get --raw "+pods+"none/proxy/", `pods "none" not found`)
			eventually(t, 30*time.Second, "the service has an endpoint", func() bool {
				out, err := tryWith(k.path, "", "get", "--raw", services+"front/proxy/")
				return err == nil && strings.Contains(out, "reached")
			})
			k.prints(t, "get --raw "+services+"front:80/proxy/", "reached")
			k.refuses(t, "get --raw "+services+"front:81/proxy/", `no service port 81 found for service "front"`)
			k.prints(t, "get --raw /api/v1/nodes/"+node+"/proxy/healthz", "ok")
			k.prints(t, "get --raw /api/v1/nodes/"+node+"/proxy/pods", `"kind":"PodList"`, `"name":"server"`)
			k.prints(t, "get --raw /api/v1/nodes/"+node+"/proxy/stats/summary", `"nodeName": "`+node+`"`, `"usageCoreNanoSeconds"`, `"name": "server"`)
			k.refuses(t, "get --raw /api/v1/nodes/"+node+"/proxy/healthz --as=jane", `cannot get resource "nodes/proxy"`)

			proxy := k.start(t, "proxy --port=0")
			proxy.says(t, "Starting to serve on 127.0.0.1:")
			_, port, _ := strings.Cut(proxy.text(), "127.0.0.1:")
			base := "http://127.0.0.1:" + strings.TrimSpace(port)
			resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Get(base + pods + "server/proxy")
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusMovedPermanently || resp.Header.Get("Location") != pods+"server/proxy/" {
				t.Errorf("%d to %s", resp.StatusCode, resp.Header.Get("Location"))
			}
			if got := fetch(t, base+pods+"server/proxy/"); !strings.Contains(got, "reached") {
				t.Error(got)
			}
		})

		t.Run("streams of logs", func(t *testing.T) {
			k.prints(t, "run both --image=probe:v1 --restart=Never -- sh -c echo~good;echo~bad~>&2")
			k.prints(t, "wait --for=jsonpath={.status.phase}=Succeeded pod/both --timeout=60s")
			for stream, want := range map[string]string{"Stdout": "good\n", "Stderr": "bad\n"} {
				if got := k.ok(t, "get", "--raw", pods+"both/log?stream="+stream); got != want {
					t.Errorf("%s: %q", stream, got)
				}
			}
			if got := k.ok(t, "get", "--raw", pods+"both/log?stream=Stdout&limitBytes=2"); got != "go" {
				t.Errorf("two bytes: %q", got)
			}
		})

		t.Run("resize", func(t *testing.T) {
			manifest := `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"sized"},"spec":{"terminationGracePeriodSeconds":1,"containers":[{"name":"c","image":"probe:v1","command":["probe"],
				"resources":{"requests":{"cpu":"20m","memory":"32Mi"},"limits":{"cpu":"100m","memory":"64Mi"}},"resizePolicy":[{"resourceName":"memory","restartPolicy":"RestartContainer"}]}]}}`
			k.stdin(t, manifest, "apply -f -")
			k.prints(t, "wait --for=condition=Ready pod/sized --timeout=60s")
			k.prints(t, `patch pod sized --subresource=resize --patch={"spec":{"containers":[{"name":"c","resources":{"limits":{"cpu":"200m"}}}]}}`, "patched")
			k.prints(t, "wait --for=jsonpath={.status.containerStatuses[0].resources.limits.cpu}=200m pod/sized --timeout=60s")
			k.prints(t, "get pod sized -o jsonpath={.status.containerStatuses[0].restartCount}", "0")
			k.prints(t, `patch pod sized --subresource=resize --patch={"spec":{"containers":[{"name":"c","resources":{"limits":{"memory":"96Mi"}}}]}}`, "patched")
			k.prints(t, "wait --for=jsonpath={.status.containerStatuses[0].resources.limits.memory}=96Mi pod/sized --timeout=60s")
			k.prints(t, "wait --for=jsonpath={.status.containerStatuses[0].restartCount}=1 pod/sized --timeout=60s")
			k.prints(t, "wait --for=condition=Ready pod/sized --timeout=60s")
			if limit := k.ok(t, "exec", "sized", "--", "sh", "-c", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true"); !strings.Contains(limit, "100663296") {
				t.Errorf("the kernel's limit: %q", limit)
			}
			k.prints(t, `patch pod sized --subresource=resize --patch={"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"100"},"limits":{"cpu":"100"}}}]}}`, "patched")
			k.prints(t, "wait --for=jsonpath={.status.conditions[?(@.type=='PodResizePending')].reason}=Infeasible pod/sized --timeout=60s")
			// A request that is left out is its limit: the pod would be guaranteed.
			k.refuses(t, `patch pod sized --subresource=resize --patch={"spec":{"containers":[{"name":"c","resources":{"requests":{"memory":null}}}]}}`, "Pod QOS Class may not change as a result of resizing")
		})
	})
}
