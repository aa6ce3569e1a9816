package pipeline_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

func amounts(pairs ...string) map[string]*metav1.Quantity {
	out := map[string]*metav1.Quantity{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = &metav1.Quantity{String_: pairs[i+1]}
	}
	return out
}

func (h *harness) quota(name string, spec *corev1.ResourceQuotaSpec) {
	h.Helper()
	h.mustCreate(ref("", "resourcequotas", "default", ""), &corev1.ResourceQuota{Metadata: &metav1.ObjectMeta{Name: name}, Spec: spec})
	h.seen(ref("", "resourcequotas", "default", name))
}

// seen waits until plugins, which read from the cache, know an object: a consistent read does.
func (h *harness) seen(r *resourcev1.ObjectRef) {
	h.Helper()
	if _, err := h.get(r); err != nil {
		h.Fatal(err)
	}
}

func (h *harness) used(name string) string {
	h.Helper()
	it, err := h.get(ref("", "resourcequotas", "default", name))
	if err != nil {
		h.Fatal(err)
	}
	q := into(h.T, it, &corev1.ResourceQuota{})
	var out []string
	for _, k := range []string{"pods", "requests.cpu", "count/configmaps", "services.nodeports", "requests.storage"} {
		if v, ok := q.GetStatus().GetUsed()[k]; ok {
			out = append(out, k+"="+v.GetString_())
		}
	}
	return strings.Join(out, ",")
}

func sized(name, cpu string) *corev1.Pod {
	p := pod(name)
	p.Spec.Containers[0].Resources = &corev1.ResourceRequirements{Requests: amounts("cpu", cpu)}
	return p
}

func TestQuotaRefusesWhatIsTooMuch(t *testing.T) {
	h := start(t)
	h.mustCreate(ref("", "pods", "default", ""), sized("before", "100m"))
	h.quota("q", &corev1.ResourceQuotaSpec{Hard: amounts("pods", "2", "requests.cpu", "1")})
	if got := h.used("q"); got != "pods=1,requests.cpu=100m" {
		t.Errorf("a new quota finds %q used", got)
	}
	_, err := h.create(ref("", "pods", "default", ""), pod("silent"))
	wantErr(t, err, `pods "silent" is forbidden: failed quota: q: must specify requests.cpu for: c`)
	_, err = h.create(ref("", "pods", "default", ""), sized("big", "2"))
	wantErr(t, err, `pods "big" is forbidden: exceeded quota: q, requested: requests.cpu=2, used: requests.cpu=100m, limited: requests.cpu=1`)
	h.mustCreate(ref("", "pods", "default", ""), sized("fits", "500m"))
	_, err = h.create(ref("", "pods", "default", ""), sized("third", "1m"))
	wantErr(t, err, `exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2`)
	if !apierrors.IsForbidden(err) {
		t.Errorf("%v is not Forbidden", err)
	}
	if got := h.used("q"); got != "pods=2,requests.cpu=600m" {
		t.Errorf("used is %q", got)
	}
}

// What is refused by a second quota is given back to the first, as is what could not be stored.
func TestQuotaGivesBack(t *testing.T) {
	h := start(t)
	h.quota("a", &corev1.ResourceQuotaSpec{Hard: amounts("count/configmaps", "3")})
	h.quota("b", &corev1.ResourceQuotaSpec{Hard: amounts("count/configmaps", "1")})
	r := ref("", "configmaps", "default", "")
	h.mustCreate(r, configMap("one", nil))
	_, err := h.create(r, configMap("two", nil))
	wantErr(t, err, "exceeded quota: b")
	if got := h.used("a"); got != "count/configmaps=1" {
		t.Errorf("after a refusal by b, %q is used of a", got)
	}
	h.delete(ref("", "resourcequotas", "default", "b"), nil)
	_, err = h.create(r, configMap("one", nil))
	if !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	if got := h.used("a"); got != "count/configmaps=1" {
		t.Errorf("after a creation that failed, %q is used of a", got)
	}
}

func TestQuotaIsExactUnderConcurrency(t *testing.T) {
	h := start(t)
	const most, writers = 20, 80
	h.quota("q", &corev1.ResourceQuotaSpec{Hard: amounts("count/configmaps", fmt.Sprint(most))})
	var wg sync.WaitGroup
	var mu sync.Mutex
	stored := 0
	for i := range writers {
		wg.Go(func() {
			_, err := h.create(ref("", "configmaps", "default", ""), configMap(fmt.Sprintf("c%d", i), nil))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				stored++
			} else if !strings.Contains(err.Error(), "exceeded quota: q") {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := h.used("q"); stored != most || got != fmt.Sprintf("count/configmaps=%d", most) {
		t.Errorf("%d objects stored of %d allowed; used is %q", stored, most, got)
	}
}

func TestQuotaScopes(t *testing.T) {
	h := start(t)
	h.quota("best-effort", &corev1.ResourceQuotaSpec{Hard: amounts("pods", "0"), Scopes: []string{"BestEffort"}})
	h.quota("high", &corev1.ResourceQuotaSpec{Hard: amounts("pods", "0"), ScopeSelector: &corev1.ScopeSelector{
		MatchExpressions: []*corev1.ScopedResourceSelectorRequirement{{ScopeName: "PriorityClass", Operator: "In", Values: []string{"system-node-critical"}}}}})
	_, err := h.create(ref("", "pods", "default", ""), pod("idle"))
	wantErr(t, err, "exceeded quota: best-effort")
	p := sized("urgent", "1")
	p.Spec.PriorityClassName = "system-node-critical"
	_, err = h.create(ref("", "pods", "default", ""), p)
	wantErr(t, err, "exceeded quota: high")
	h.mustCreate(ref("", "pods", "default", ""), sized("plain", "1"))
}

func TestQuotaOfServicesAndClaims(t *testing.T) {
	h := start(t)
	h.quota("q", &corev1.ResourceQuotaSpec{Hard: amounts("services.nodeports", "1", "requests.storage", "5Gi")})
	svc := &corev1.Service{Metadata: &metav1.ObjectMeta{Name: "s", Namespace: "default"}, Spec: &corev1.ServiceSpec{
		Ports: []*corev1.ServicePort{{Name: "a", Port: 80}, {Name: "b", Port: 81}}}}
	h.mustCreate(ref("", "services", "default", ""), svc)
	open := proto.CloneOf(svc)
	open.Spec.Type = "NodePort"
	_, err := h.update(ref("", "services", "default", "s"), open)
	wantErr(t, err, "exceeded quota: q, requested: services.nodeports=2, used: services.nodeports=0, limited: services.nodeports=1")
	claim := func(name, size string) *corev1.PersistentVolumeClaim {
		return &corev1.PersistentVolumeClaim{Metadata: &metav1.ObjectMeta{Name: name}, Spec: &corev1.PersistentVolumeClaimSpec{
			AccessModes: []string{"ReadWriteOnce"}, Resources: &corev1.VolumeResourceRequirements{Requests: amounts("storage", size)}}}
	}
	h.mustCreate(ref("", "persistentvolumeclaims", "default", ""), claim("a", "3Gi"))
	_, err = h.create(ref("", "persistentvolumeclaims", "default", ""), claim("b", "3Gi"))
	wantErr(t, err, "exceeded quota: q, requested: requests.storage=3Gi, used: requests.storage=3Gi, limited: requests.storage=5Gi")
}

func TestQuotaDryRun(t *testing.T) {
	h := start(t)
	h.quota("q", &corev1.ResourceQuotaSpec{Hard: amounts("count/configmaps", "1")})
	dry := func(name string) error {
		_, err := h.s.Create(h.ctx, &resourcev1.CreateRequest{Ref: ref("", "configmaps", "default", ""), Object: pb(t, configMap(name, nil)),
			Options: &resourcev1.WriteOptions{DryRun: true}})
		return err
	}
	if err := dry("a"); err != nil {
		t.Error(err)
	}
	if got := h.used("q"); got != "count/configmaps=0" {
		t.Errorf("a dry run has used %q", got)
	}
	h.mustCreate(ref("", "configmaps", "default", ""), configMap("a", nil))
	wantErr(t, dry("b"), "exceeded quota: q")
}
