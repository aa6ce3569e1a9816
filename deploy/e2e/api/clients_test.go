package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/keelson/keelson/proto/apierrors"
	ourmeta "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

const protobufType = "application/vnd.kubernetes.protobuf"

// clients are all ways into one API server.
type clients struct {
	server   *apiserver
	json     map[string]rest.Interface // by plural
	protobuf map[string]rest.Interface
	dynamic  dynamic.Interface
	metadata metadata.Interface
	waist    resourcev1.ResourceServiceClient
}

func connect(t testing.TB, s *apiserver) *clients {
	t.Helper()
	c := &clients{server: s, json: map[string]rest.Interface{}, protobuf: map[string]rest.Interface{}}
	for _, k := range kinds {
		for contentType, into := range map[string]map[string]rest.Interface{"application/json": c.json, protobufType: c.protobuf} {
			config := s.config(t)
			gv := k.gv()
			config.GroupVersion, config.APIPath = &gv, "/apis"
			if k.group == "" {
				config.APIPath = "/api"
			}
			config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
			config.ContentType, config.AcceptContentTypes = contentType, contentType
			into[k.plural] = must[*rest.RESTClient](t)(rest.RESTClientFor(config))
		}
	}
	c.dynamic = must[*dynamic.DynamicClient](t)(dynamic.NewForConfig(s.config(t)))
	c.metadata = must[metadata.Interface](t)(metadata.NewForConfig(metadata.ConfigFor(s.config(t))))
	c.waist = s.conn(t).Waist()
	return c
}

// way is how a reader reads.
type way int

const (
	byJSON way = iota
	byProtobuf
	byDynamic
	byMetadata
	byGRPC
	byGRPCMetadata
	ways
)

func (w way) String() string {
	return [...]string{"JSON", "protobuf", "dynamic", "metadata", "gRPC", "gRPC metadata"}[w]
}

// describe reads what every form of an object shows.
func describe(obj runtime.Object) (*object, error) {
	m, err := meta.Accessor(obj)
	if err != nil {
		return nil, err
	}
	rv, err := strconv.ParseInt(m.GetResourceVersion(), 10, 64)
	if err != nil {
		return nil, err
	}
	return &object{namespace: m.GetNamespace(), name: m.GetName(), labels: m.GetLabels(), revision: rv}, nil
}

// page is the answer to a list.
type page struct {
	objects  []*object
	revision int64
	next     string
}

// list reads one page.
func (c *clients) list(ctx context.Context, w way, s selection, o metav1.ListOptions) (*page, error) {
	o.LabelSelector, o.FieldSelector = s.labels(), s.fields()
	var list runtime.Object
	var err error
	switch w {
	case byJSON, byProtobuf:
		client := c.json
		if w == byProtobuf {
			client = c.protobuf
		}
		list = s.kind.list()
		err = client[s.kind.plural].Get().NamespaceIfScoped(s.namespace, s.namespace != "").Resource(s.kind.plural).
			VersionedParams(&o, scheme.ParameterCodec).Do(ctx).Into(list)
	case byDynamic:
		list, err = c.dynamic.Resource(s.kind.gv().WithResource(s.kind.plural)).Namespace(s.namespace).List(ctx, o)
	case byMetadata:
		list, err = c.metadata.Resource(s.kind.gv().WithResource(s.kind.plural)).Namespace(s.namespace).List(ctx, o)
	default:
		return c.listGRPC(ctx, w, s, o)
	}
	if err != nil {
		return nil, err
	}
	m, err := meta.ListAccessor(list)
	if err != nil {
		return nil, err
	}
	p := &page{next: m.GetContinue()}
	if p.revision, err = strconv.ParseInt(m.GetResourceVersion(), 10, 64); err != nil {
		return nil, err
	}
	err = meta.EachListItem(list, func(obj runtime.Object) error {
		d, err := describe(obj)
		p.objects = append(p.objects, d)
		return err
	})
	return p, err
}

func (c *clients) listGRPC(ctx context.Context, w way, s selection, o metav1.ListOptions) (*page, error) {
	stream, err := c.waist.List(ctx, &resourcev1.ListRequest{Selection: s.proto(), ResourceVersion: o.ResourceVersion,
		ResourceVersionMatch: string(o.ResourceVersionMatch), Limit: o.Limit, ContinueToken: o.Continue, Trim: w.trim()})
	if err != nil {
		return nil, fromGRPC(err)
	}
	p := &page{}
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return p, nil
		} else if err != nil {
			return nil, fromGRPC(err)
		}
		p.revision, p.next = chunk.GetRevision(), chunk.GetContinueToken()
		for _, raw := range chunk.GetObjects() {
			d, err := describeWire(raw)
			if err != nil {
				return nil, err
			}
			p.objects = append(p.objects, d)
		}
	}
}

func (s selection) proto() *resourcev1.Selection {
	return &resourcev1.Selection{Resource: &resourcev1.Resource{Group: s.kind.group, Version: s.kind.version, Plural: s.kind.plural},
		Namespace: s.namespace, LabelSelector: s.labels(), FieldSelector: s.fields()}
}

func (w way) trim() *resourcev1.Trim {
	return &resourcev1.Trim{ManagedFields: true, MetadataOnly: w == byGRPCMetadata}
}

// describeWire reads the metadata of an object in protobuf: it is the same field of every kind.
func describeWire(o *resourcev1.Object) (*object, error) {
	var p ourmeta.PartialObjectMetadata
	if err := proto.Unmarshal(o.GetRaw(), &p); err != nil {
		return nil, err
	}
	m := p.GetMetadata()
	if m.GetResourceVersion() != strconv.FormatInt(o.GetRevision(), 10) {
		return nil, fmt.Errorf("resourceVersion %q at revision %d", m.GetResourceVersion(), o.GetRevision())
	}
	return &object{namespace: m.GetNamespace(), name: m.GetName(), labels: m.GetLabels(), revision: o.GetRevision()}, nil
}

// fromGRPC makes the error that client-go would have returned.
func fromGRPC(err error) error {
	err = apierrors.FromGRPC(err)
	var status *apierrors.StatusError
	if !errors.As(err, &status) {
		return err
	}
	s := status.Status
	return &statusError{metav1.Status{Status: metav1.StatusFailure, Code: s.GetCode(), Reason: metav1.StatusReason(s.GetReason()), Message: s.GetMessage()}}
}

type statusError struct{ status metav1.Status }

func (e *statusError) Error() string         { return e.status.Message }
func (e *statusError) Status() metav1.Status { return e.status }

// stream is an open watch.
type stream interface {
	next() ([]event, error)
	close()
}

// watch opens a watch.
func (c *clients) watch(ctx context.Context, w way, s selection, o metav1.ListOptions) (stream, error) {
	o.LabelSelector, o.FieldSelector, o.Watch = s.labels(), s.fields(), true
	var in watch.Interface
	var err error
	switch w {
	case byJSON, byProtobuf:
		client := c.json
		if w == byProtobuf {
			client = c.protobuf
		}
		in, err = client[s.kind.plural].Get().NamespaceIfScoped(s.namespace, s.namespace != "").Resource(s.kind.plural).
			VersionedParams(&o, scheme.ParameterCodec).Watch(ctx)
	case byDynamic:
		in, err = c.dynamic.Resource(s.kind.gv().WithResource(s.kind.plural)).Namespace(s.namespace).Watch(ctx, o)
	case byMetadata:
		in, err = c.metadata.Resource(s.kind.gv().WithResource(s.kind.plural)).Namespace(s.namespace).Watch(ctx, o)
	default:
		return c.watchGRPC(ctx, w, s, o)
	}
	if err != nil {
		return nil, err
	}
	return &restStream{in}, nil
}

type restStream struct{ in watch.Interface }

func (s *restStream) close() { s.in.Stop() }

func (s *restStream) next() ([]event, error) {
	e, ok := <-s.in.ResultChan()
	if !ok {
		return nil, io.EOF
	}
	switch e.Type {
	case watch.Error:
		if status, ok := e.Object.(*metav1.Status); ok {
			return nil, &statusError{*status}
		}
		if u, ok := e.Object.(*unstructured.Unstructured); ok {
			var status metav1.Status
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &status); err != nil {
				return nil, err
			}
			return nil, &statusError{status}
		}
		return nil, fmt.Errorf("an error event with %T: %v", e.Object, e.Object)
	}
	o, err := describe(e.Object)
	if err != nil {
		return nil, err
	}
	out := event{kind: string(e.Type), object: o, revision: o.revision}
	if e.Type == watch.Bookmark {
		m, err := meta.Accessor(e.Object)
		if err != nil {
			return nil, err
		}
		out.object, out.initialEnd = nil, m.GetAnnotations()[metav1.InitialEventsAnnotationKey] == "true"
	}
	return []event{out}, nil
}

func (c *clients) watchGRPC(ctx context.Context, w way, s selection, o metav1.ListOptions) (stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	st, err := c.waist.Watch(ctx)
	if err == nil {
		err = st.Send(&resourcev1.WatchRequest{Request: &resourcev1.WatchRequest_Open{Open: &resourcev1.WatchOpen{
			Selection: s.proto(), ResourceVersion: o.ResourceVersion, ResourceVersionMatch: string(o.ResourceVersionMatch),
			SendInitialEvents: o.SendInitialEvents != nil && *o.SendInitialEvents, AllowBookmarks: o.AllowWatchBookmarks, Trim: w.trim()}}})
	}
	if err != nil {
		cancel()
		return nil, fromGRPC(err)
	}
	return &grpcStream{st: st, cancel: cancel}, nil
}

type grpcStream struct {
	st     resourcev1.ResourceService_WatchClient
	cancel context.CancelFunc
	n      int
}

func (s *grpcStream) close() { s.cancel() }

func (s *grpcStream) next() ([]event, error) {
	// Now and then a bookmark is asked for, which must be neither before nor behind the events around it.
	if s.n++; s.n%5 == 0 {
		_ = s.st.Send(&resourcev1.WatchRequest{Request: &resourcev1.WatchRequest_Progress{Progress: &resourcev1.WatchProgress{}}})
	}
	resp, err := s.st.Recv()
	if err != nil {
		return nil, fromGRPC(err)
	}
	var out []event
	for _, e := range resp.GetEvents() {
		ev := event{revision: e.GetObject().GetRevision(), initialEnd: e.GetInitialEventsEnd()}
		switch e.GetType() {
		case resourcev1.EventType_EVENT_TYPE_ADDED:
			ev.kind = "ADDED"
		case resourcev1.EventType_EVENT_TYPE_MODIFIED:
			ev.kind = "MODIFIED"
		case resourcev1.EventType_EVENT_TYPE_DELETED:
			ev.kind = "DELETED"
		case resourcev1.EventType_EVENT_TYPE_BOOKMARK:
			ev.kind = "BOOKMARK"
		}
		if ev.kind != "BOOKMARK" {
			if ev.object, err = describeWire(e.GetObject()); err != nil {
				return nil, err
			}
		}
		out = append(out, ev)
	}
	return out, nil
}
