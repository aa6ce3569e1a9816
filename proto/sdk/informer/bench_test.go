package informer_test

import (
	"context"
	"fmt"
	"testing"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/sdk/apitest"
	"github.com/keelson/keelson/proto/sdk/client"
	"github.com/keelson/keelson/proto/sdk/informer"
)

// BenchmarkSync measures how long an informer takes to hold 10,000 config maps, through gRPC in memory.
func BenchmarkSync(b *testing.B) {
	s := apitest.New(b)
	batch := client.For[*corev1.ConfigMap](s.Conn).Batch(b.Context())
	for i := range 10000 {
		m := &corev1.ConfigMap{
			Metadata: &metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprint("m-", i), Labels: map[string]string{"app": "web", "tier": "front"}},
			Data:     map[string]string{"key": "a value of some length, as they are"},
		}
		if err := batch.Create(m, nil); err != nil {
			b.Fatal(err)
		}
	}
	batch.Close()
	b.ReportAllocs()
	for b.Loop() {
		i := informer.New(s.Conn, informer.Options[*corev1.ConfigMap]{Trim: true})
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- i.Run(ctx) }()
		if err := i.WaitForSync(ctx); err != nil || i.Len() != 10000 {
			b.Fatalf("%d, %v", i.Len(), err)
		}
		cancel()
		<-done
	}
}

// BenchmarkWriteAndWait measures a write and the wait for its own informer to show it: the price of never acting on
// an older view than one's own last write.
func BenchmarkWriteAndWait(b *testing.B) {
	s := apitest.New(b)
	maps := client.For[*corev1.ConfigMap](s.Conn)
	i := informer.New(s.Conn, informer.Options[*corev1.ConfigMap]{Trim: true})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- i.Run(ctx) }()
	defer func() { cancel(); <-done }()
	m := apitest.Create(b, s, &corev1.ConfigMap{Metadata: &metav1.ObjectMeta{Namespace: "default", Name: "m"}})
	n := 0
	for b.Loop() {
		n++
		var err error
		if m, err = maps.Update(ctx, &corev1.ConfigMap{Metadata: m.Metadata, Data: map[string]string{"n": fmt.Sprint(n)}}); err != nil {
			b.Fatal(err)
		}
		if err := i.WaitFor(ctx, client.Revision(m)); err != nil {
			b.Fatal(err)
		}
	}
}
