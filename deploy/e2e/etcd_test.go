package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// A cluster on three etcd members with TLS goes on when one of them is killed, and loses no write that it acknowledged:
// not then, and not when all its own components are killed too.
//
// A machine holds one cluster at a time: the shared one is down meanwhile, and finds its objects again afterwards.
func TestEtcdMemberKilled(t *testing.T) {
	count := fmt.Sprint(len(strings.Fields(kubectl(t, "get", "nodes", "-o", "name"))))
	before := kubectl(t, "get", "deployments", "-A", "-o", "name")
	first := shared
	if err := first.down(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		shared = first
		if err := shared.up(); err != nil {
			t.Fatal(err)
		}
		if after := kubectl(t, "get", "deployments", "-A", "-o", "name"); after != before {
			t.Errorf("the objects after down and up:\n%s\nbefore:\n%s", after, before)
		}
	})
	c := &cluster{dir: t.TempDir(), bin: first.bin, flags: []string{"--nodes", count, "--etcd-members", "3", "--etcd-binary", filepath.Join(first.bin, "etcd")}}
	shared = c
	defer func() {
		if t.Failed() {
			c.printLogs()
		}
		if err := c.down(); err != nil {
			t.Error(err)
		}
		if left := leftovers(c.dir); left != "" {
			t.Errorf("left behind:\n%s", left)
		}
	}()
	if err := c.up(); err != nil {
		t.Fatal(err)
	}
	if err := c.local("load", filepath.Join(first.dir, "probe.tar")); err != nil {
		t.Fatal(err)
	}

	kubectl(t, "create", "namespace", "shop")
	kubectl(t, "-n", "shop", "wait", "--for=create", "serviceaccount/default", "--timeout=60s")
	apply(t, hello("shop", 2, "v1"))
	kubectl(t, "-n", "shop", "rollout", "status", "deployment/hello", "--timeout=90s")
	writes := writer(t, "shop")
	rollout := func(version string, kill func()) {
		t.Helper()
		apply(t, hello("shop", 2, version))
		kill()
		kubectl(t, "-n", "shop", "rollout", "status", "deployment/hello", "--timeout=120s")
		kubectl(t, "-n", "shop", "create", "configmap", version)
	}
	rollout("v2", func() { c.kill(t, "", "etcd-1") })
	// The member comes back and takes part: another one can go.
	if err := c.up(); err != nil {
		t.Fatal(err)
	}
	rollout("v3", func() { c.kill(t, "", "etcd-2") })
	rollout("v4", func() {
		for _, component := range []string{"apiserver", "scheduler", "controller-manager"} {
			c.kill(t, "", component)
		}
		if err := c.up(); err != nil {
			t.Fatal(err)
		}
	})

	// What is too large for the store is refused, not tried again.
	large := strings.Replace(fmt.Sprintf(pod, "large", ""), `"image"`, fmt.Sprintf(`"command":[%q],"image"`, strings.Repeat("x", 2<<20)), 1)
	if got := adminClient(t).do(t, "POST", "/api/v1/namespaces/shop/pods", jsonType, large); got.code != 413 || got.status.Reason != metav1.StatusReasonRequestEntityTooLarge {
		t.Errorf("an object of 2 MiB: %d %s", got.code, short(got.body))
	}
	acknowledged := writes()
	there := kubectl(t, "-n", "shop", "get", "configmaps", "-o", "name")
	for _, name := range append(acknowledged, "v2", "v3", "v4") {
		if !strings.Contains(there, "configmap/"+name+"\n") {
			t.Errorf("the acknowledged write of %s is lost", name)
		}
	}
	if len(acknowledged) < 50 {
		t.Errorf("only %d writes were acknowledged", len(acknowledged))
	}
}

// writer creates ConfigMaps one after the other until its result is called, which returns the names of those that the
// server acknowledged. What failed is tried again: it may or may not be there.
func writer(t *testing.T, ns string) (stop func() []string) {
	t.Helper()
	config := restConfig(t)
	config.Timeout = 5 * time.Second
	client := kubernetes.NewForConfigOrDie(config).CoreV1().ConfigMaps(ns)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	var done sync.WaitGroup
	var names []string
	done.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			name := fmt.Sprintf("written-%d", i)
			_, err := client.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
			switch {
			case err == nil:
				names = append(names, name)
				i++
			case apierrors.IsAlreadyExists(err):
				i++
			}
		}
	})
	return func() []string { cancel(); done.Wait(); return names }
}
