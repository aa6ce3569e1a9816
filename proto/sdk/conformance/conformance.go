// Package conformance is one suite of the behaviours that components and clients rely on, through the resource service.
// It runs against the server of package apitest, so that component tests stand on true ground, and against the API
// server over etcd. What it says is what Kubernetes does; a difference is a bug of the server.
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, func(t *testing.T) conformance.Server { ... })
//	}
package conformance

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/client"
)

// patience bounds every wait of the suite; only a failing server makes it pass.
const patience = 60 * time.Second

// Server is what the suite runs against.
type Server struct {
	// Conn is a connection of a user who may do everything.
	Conn *client.Conn
	// Cut breaks all connections; clients can connect again at once.
	Cut func()
	// Forget makes the server forget the past: it compacts its store at the present revision and drops what it has in
	// memory, as a restart after a compaction does. Afterwards it serves again.
	Forget func()
}

// Factory returns a running server, which ends with the test.
type Factory func(t *testing.T) Server

// group is a set of behaviours.
type group struct {
	name  string
	tests []behaviour
}

type behaviour struct {
	name string
	test func(*env)
}

// Run runs the suite. Behaviours share one server and run beside each other, each in its own namespace; those that
// disturb the server run alone, at the end.
func Run(t *testing.T, f Factory) {
	s := f(t)
	t.Run("undisturbed", func(t *testing.T) {
		for _, g := range []group{create, update, status, deletion, list, selectors, watch, patch, apply, dryRun, batch, concurrency, waist, subresources, kinds, informers} {
			t.Run(g.name, func(t *testing.T) {
				t.Parallel()
				for _, b := range g.tests {
					t.Run(b.name, func(t *testing.T) {
						t.Parallel()
						b.test(newEnv(t, s))
					})
				}
			})
		}
	})
	for _, b := range disturbed.tests {
		t.Run(disturbed.name+"/"+b.name, func(t *testing.T) { b.test(newEnv(t, s)) })
	}
}

// env is one behaviour's surroundings.
type env struct {
	*testing.T
	Server
	ctx  context.Context
	ns   string
	maps *client.Client[*corev1.ConfigMap]
	pods *client.Client[*corev1.Pod]
}

var namespaces atomic.Int64

func newEnv(t *testing.T, s Server) *env {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	e := &env{
		T: t, Server: s, ctx: ctx, ns: fmt.Sprintf("conformance-%d", namespaces.Add(1)),
		maps: client.For[*corev1.ConfigMap](s.Conn), pods: client.For[*corev1.Pod](s.Conn),
	}
	must(client.For[*corev1.Namespace](s.Conn).Create(ctx, &corev1.Namespace{Metadata: &metav1.ObjectMeta{Name: e.ns}}))(e)
	// Pods need their account. In a whole cluster a controller makes it, perhaps first.
	_, err := client.For[*corev1.ServiceAccount](s.Conn).Create(ctx, &corev1.ServiceAccount{Metadata: e.meta("default")})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	return e
}

// must returns the value of a call that has to succeed: must(f())(e).
func must[T any](v T, err error) func(*env) T {
	return func(e *env) T {
		e.Helper()
		if err != nil {
			e.Fatal(err)
		}
		return v
	}
}

// wants checks that an error is of its kind and says the text.
func (e *env) wants(err error, is func(error) bool, text string) {
	e.Helper()
	if err == nil || !is(err) || !strings.Contains(err.Error(), text) {
		e.Errorf("error %q, want one that says %q", err, text)
	}
}

func (e *env) meta(name string) *metav1.ObjectMeta {
	return &metav1.ObjectMeta{Namespace: e.ns, Name: name}
}

// configMap returns one that is not stored; pairs are data.
func (e *env) configMap(name string, pairs ...string) *corev1.ConfigMap {
	m := &corev1.ConfigMap{Metadata: e.meta(name), Data: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		m.Data[pairs[i]] = pairs[i+1]
	}
	return m
}

// labelled returns a config map with labels.
func (e *env) labelled(name string, pairs ...string) *corev1.ConfigMap {
	m := e.configMap(name)
	m.Metadata.Labels = map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m.Metadata.Labels[pairs[i]] = pairs[i+1]
	}
	return m
}

// put stores a new config map.
func (e *env) put(m *corev1.ConfigMap) *corev1.ConfigMap {
	e.Helper()
	return must(e.maps.Create(e.ctx, m))(e)
}

// pod returns a valid one that is not stored.
func (e *env) pod(name string) *corev1.Pod {
	return &corev1.Pod{Metadata: e.meta(name), Spec: &corev1.PodSpec{
		Containers: []*corev1.Container{{Name: "c", Image: "example.org/image:v1"}},
	}}
}

// names returns the objects' names in order, separated by blanks.
func names[T client.Object](objects []T) string {
	all := make([]string, len(objects))
	for i, o := range objects {
		all[i] = o.GetMetadata().GetName()
	}
	return strings.Join(all, " ")
}
