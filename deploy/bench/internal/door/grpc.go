package door

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/deploy/bench/internal/pods"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/sdk/client"
)

// GRPC is what the components use: the SDK's client, all workers on one connection. Lists and watches stop short of
// decoding the objects.
type GRPC struct {
	dial func() (*client.Conn, error)
	conn *client.Conn
	pods *client.Client[*corev1.Pod]
}

// NewGRPC returns a door to the server at an address.
func NewGRPC(address string, c Credentials) (*GRPC, error) {
	cfg := client.Config{Endpoints: []string{address}, CAFile: c.CA, CertFile: c.Cert, KeyFile: c.Key, UserAgent: userAgent}
	return newGRPC(func() (*client.Conn, error) { return client.Dial(cfg) })
}

// newGRPC returns a door whose connections dial makes.
func newGRPC(dial func() (*client.Conn, error)) (*GRPC, error) {
	conn, err := dial()
	if err != nil {
		return nil, err
	}
	return &GRPC{dial: dial, conn: conn, pods: client.For[*corev1.Pod](conn)}, nil
}

// Name implements Door.
func (d *GRPC) Name() string { return "gRPC" }

// Close implements Door.
func (d *GRPC) Close() { _ = d.conn.Close() }

// Creator implements Door.
func (d *GRPC) Creator(namespace string, n int) (func(context.Context, int) error, error) {
	all, err := messages(namespace, n)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, i int) error {
		_, err := d.pods.Create(ctx, all[i])
		return err
	}, nil
}

func messages(namespace string, n int) ([]*corev1.Pod, error) {
	all := make([]*corev1.Pod, n)
	for i := range all {
		var err error
		if all[i], err = pods.Message(namespace, i); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Batch prepares pods 0 to n-1; what it returns creates them over one stream.
func (d *GRPC) Batch(ctx context.Context, namespace string, n int) (func() error, error) {
	all, err := messages(namespace, n)
	if err != nil {
		return nil, err
	}
	return func() error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		b := d.pods.Batch(ctx)
		for _, pod := range all {
			if err := b.Create(pod, func(_ *corev1.Pod, err error) {
				if err != nil {
					cancel(err)
				}
			}); err != nil {
				cancel(err) // keeps an earlier cause
				break
			}
		}
		b.Close()
		return context.Cause(ctx)
	}, nil
}

// Get implements Door.
func (d *GRPC) Get(ctx context.Context, namespace, name string) (Held, error) {
	pod, err := d.pods.Get(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	return &heldMessage{door: d, pod: pod}, nil
}

type heldMessage struct {
	door *GRPC
	pod  *corev1.Pod
}

// Update implements Held.
func (h *heldMessage) Update(ctx context.Context, mark time.Time) error {
	h.pod.Metadata.Annotations[pods.MarkKey] = pods.Value(mark)
	pod, err := h.door.pods.Update(ctx, h.pod)
	if err != nil {
		return err
	}
	h.pod = pod
	return nil
}

// Size implements Held.
func (h *heldMessage) Size() int { return proto.Size(h.pod) }

func (d *GRPC) selection(namespace, labels string) *resourcev1.Selection {
	return &resourcev1.Selection{Resource: d.pods.Kind().Resource(), Namespace: namespace, LabelSelector: labels}
}

// List implements Door.
func (d *GRPC) List(ctx context.Context, namespace, labels string) (Listed, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := d.conn.Waist().List(ctx, &resourcev1.ListRequest{Selection: d.selection(namespace, labels), Encoding: resourcev1.Encoding_ENCODING_PROTOBUF})
	if err != nil {
		return Listed{}, err
	}
	var l Listed
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return l, nil
		}
		if err != nil {
			return l, err
		}
		l.Pods += len(chunk.GetObjects())
		for _, o := range chunk.GetObjects() {
			l.Bytes += int64(len(o.GetRaw()))
		}
	}
}

// DeleteCollection implements Door.
func (d *GRPC) DeleteCollection(ctx context.Context, namespace, labels string) error {
	_, err := d.conn.Waist().DeleteCollection(ctx, &resourcev1.DeleteCollectionRequest{
		Selection: d.selection(namespace, labels), Encoding: resourcev1.Encoding_ENCODING_PROTOBUF})
	return err
}

// Revision is the current one.
func (d *GRPC) Revision(ctx context.Context, namespace string) (int64, error) {
	p, err := d.pods.ListPage(ctx, client.ListOptions{Namespace: namespace, Limit: 1})
	if err != nil {
		return 0, err
	}
	return p.Revision, nil
}

// CreateNamespace makes a namespace in which pods can be created: with the service account that a controller would add.
func (d *GRPC) CreateNamespace(ctx context.Context, name string) error {
	ns := &corev1.Namespace{Metadata: &metav1.ObjectMeta{Name: name}}
	if _, err := client.For[*corev1.Namespace](d.conn).Create(ctx, ns); err != nil {
		return fmt.Errorf("create namespace %s: %w", name, err)
	}
	account := &corev1.ServiceAccount{Metadata: &metav1.ObjectMeta{Namespace: name, Name: "default"}}
	if _, err := client.For[*corev1.ServiceAccount](d.conn).Create(ctx, account); err != nil {
		return fmt.Errorf("create the service account of namespace %s: %w", name, err)
	}
	return nil
}
