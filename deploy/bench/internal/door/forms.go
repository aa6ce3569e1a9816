package door

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"github.com/keelson/keelson/deploy/bench/internal/pods"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// Form is how a list is asked for.
type Form int

// Forms of lists beside the plain one.
const (
	// Paged is in pages of 500, one after the other.
	Paged Form = iota
	// AsTable is what kubectl prints.
	AsTable
	// MetadataOnly leaves specification and status out.
	MetadataOnly
)

// pageSize is client-go's.
const pageSize = 500

// Former is a door that gives lists in forms.
type Former interface {
	Door
	// ListAs reads all pods of a namespace.
	ListAs(ctx context.Context, namespace string, f Form) (Listed, error)
}

// ListAs implements Former.
func (d *REST) ListAs(ctx context.Context, namespace string, f Form) (Listed, error) {
	base := d.url(namespace, "", "")
	switch f {
	case AsTable:
		return d.listAccept(ctx, base, "application/json;as=Table;v=v1;g=meta.k8s.io")
	case MetadataOnly:
		return d.listAccept(ctx, base, d.enc.contentType+";as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")
	}
	var all Listed
	for more := ""; ; {
		u := base + "?limit=" + strconv.Itoa(pageSize)
		if more != "" {
			u += "&continue=" + url.QueryEscape(more)
		}
		head := beginning{}
		var c pods.Counter
		if err := d.do(ctx, http.MethodGet, u, nil, io.MultiWriter(&c, &head)); err != nil {
			return all, err
		}
		all.Pods += c.Pods
		all.Bytes += c.Bytes
		m := continueToken.FindSubmatch(head.b)
		if m == nil {
			return all, nil
		}
		more = string(m[1])
	}
}

func (d *REST) listAccept(ctx context.Context, url, accept string) (Listed, error) {
	resp, err := d.open(ctx, d.http, http.MethodGet, url, accept, "", nil)
	if err != nil {
		return Listed{}, err
	}
	defer resp.Body.Close()
	var c pods.Counter
	_, err = io.Copy(&c, resp.Body)
	return Listed{Pods: c.Pods, Bytes: c.Bytes}, err
}

// continueToken is where a JSON list says how it goes on.
var continueToken = regexp.MustCompile(`"continue":"([^"]+)"`)

// beginning keeps the first bytes of a response.
type beginning struct{ b []byte }

func (h *beginning) Write(p []byte) (int, error) {
	const enough = 4 << 10
	if n := enough - len(h.b); n > 0 {
		h.b = append(h.b, p[:min(n, len(p))]...)
	}
	return len(p), nil
}

// ListAs implements Former.
func (d *GRPC) ListAs(ctx context.Context, namespace string, f Form) (Listed, error) {
	req := &resourcev1.ListRequest{Selection: d.selection(namespace, ""), Encoding: resourcev1.Encoding_ENCODING_PROTOBUF}
	switch f {
	case AsTable:
		return Listed{}, errors.New("gRPC has no tables")
	case MetadataOnly:
		req.Trim = &resourcev1.Trim{MetadataOnly: true}
	case Paged:
		req.Limit = pageSize
	}
	var all Listed
	for {
		more, err := d.page(ctx, req, &all)
		if err != nil || more == "" {
			return all, err
		}
		req.ContinueToken = more
	}
}

func (d *GRPC) page(ctx context.Context, req *resourcev1.ListRequest, all *Listed) (more string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := d.conn.Waist().List(ctx, req)
	if err != nil {
		return "", err
	}
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return more, nil
		}
		if err != nil {
			return "", err
		}
		for _, o := range chunk.GetObjects() {
			all.Bytes += int64(len(o.GetRaw()))
			all.Pods += bytes.Count(o.GetRaw(), []byte(pods.Mark))
		}
		more = chunk.GetContinueToken()
	}
}
