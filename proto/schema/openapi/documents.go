package openapi

import (
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	openapi_v2 "github.com/google/gnostic-models/openapiv2"
	openapi_v3 "github.com/google/gnostic-models/openapiv3"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/schema"
)

// Document is one document in both of its encodings.
type Document struct {
	JSON []byte
	// Hash changes with the content: an ETag.
	Hash string

	binary func() ([]byte, error)
}

// Protobuf returns the document as gnostic's message; made when first asked for.
func (d *Document) Protobuf() ([]byte, error) { return d.binary() }

// Documents makes the documents of a registry's served kinds, each when it is first asked for. It is safe for
// concurrent use.
type Documents struct {
	registry *schema.Registry
	version  string

	mu sync.Mutex
	// revision of the registry for which paths and kinds are.
	revision int64
	paths    []string
	kinds    map[string][]*schema.Kind
	v2       *Document
	v3       map[string]made
}

// made is a document with the kinds that it describes.
type made struct {
	*Document
	kinds []*schema.Kind
}

// New returns the documents of a server of the given version ("v1.37.0").
func New(r *schema.Registry, version string) *Documents {
	return &Documents{registry: r, version: version, v3: map[string]made{}}
}

// refresh follows the registry's custom kinds. The lock is held.
func (d *Documents) refresh() {
	revision, _ := d.registry.Revision()
	if d.kinds != nil && revision == d.revision {
		return
	}
	d.revision, d.paths, d.kinds, d.v2 = revision, nil, map[string][]*schema.Kind{}, nil
	for _, k := range d.registry.Kinds() {
		if !k.Served {
			continue
		}
		p := strings.TrimPrefix(base(k.Group, k.Version), "/")
		if d.kinds[p] == nil {
			d.paths = append(d.paths, p)
		}
		d.kinds[p] = append(d.kinds[p], k)
	}
	for p, doc := range d.v3 {
		if !slices.Equal(doc.kinds, d.kinds[p]) {
			delete(d.v3, p)
		}
	}
}

// V2 returns the one document of OpenAPI 2.
func (d *Documents) V2() (*Document, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refresh()
	if d.v2 == nil {
		doc, err := d.makeV2()
		if err != nil {
			return nil, err
		}
		d.v2 = doc
	}
	return d.v2, nil
}

// Paths returns the group versions that have a document of OpenAPI 3: "api/v1", "apis/apps/v1".
func (d *Documents) Paths() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refresh()
	return d.paths
}

// V3 returns the document of a group version; ok is false where there is none.
func (d *Documents) V3(path string) (doc *Document, ok bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refresh()
	if m, ok := d.v3[path]; ok {
		return m.Document, true, nil
	}
	if d.kinds[path] == nil {
		return nil, false, nil
	}
	if doc, err = d.makeV3(path); err != nil {
		return nil, true, err
	}
	d.v3[path] = made{doc, d.kinds[path]}
	return doc, true, nil
}

// Index returns the JSON of /openapi/v3: where each document is, with its hash, by which clients may keep it for ever.
func (d *Documents) Index() ([]byte, error) {
	paths := object{}
	for _, p := range d.Paths() {
		doc, ok, err := d.V3(p)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue // its kinds have just gone
		}
		paths[p] = object{"serverRelativeURL": "/openapi/v3/" + p + "?hash=" + doc.Hash}
	}
	return json.Marshal(object{"paths": paths})
}

func (d *Documents) info() object { return object{"title": "Keelson", "version": d.version} }

var security = object{"BearerToken": object{"type": "apiKey", "in": "header", "name": "authorization",
	"description": "Bearer token authentication"}}

func (d *Documents) makeV2() (*Document, error) {
	b := newBuilder(d.registry, false)
	paths := object{}
	for _, k := range d.registry.Kinds() {
		if k.Served && k.Plural != "" {
			b.kindPaths(paths, k)
		}
	}
	doc := object{"swagger": "2.0", "info": d.info(), "paths": paths, "definitions": b.schemas,
		"securityDefinitions": security, "security": []any{object{"BearerToken": []any{}}}}
	return document(doc, func(text []byte) (proto.Message, error) { return openapi_v2.ParseDocument(text) })
}

func (d *Documents) makeV3(path string) (*Document, error) {
	b := newBuilder(d.registry, true)
	paths := object{}
	for _, k := range d.registry.Kinds() {
		if k.Served && k.Plural != "" && strings.TrimPrefix(base(k.Group, k.Version), "/") == path {
			b.kindPaths(paths, k)
		}
	}
	doc := object{"openapi": "3.0.0", "info": d.info(), "paths": paths,
		"components": object{"schemas": b.schemas, "securitySchemes": security}}
	return document(doc, func(text []byte) (proto.Message, error) { return openapi_v3.ParseDocument(text) })
}

func document(content object, parse func([]byte) (proto.Message, error)) (*Document, error) {
	text, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("openapi: %w", err)
	}
	sum := sha512.Sum512(text)
	return &Document{JSON: text, Hash: strings.ToUpper(hex.EncodeToString(sum[:])), binary: sync.OnceValues(func() ([]byte, error) {
		m, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("openapi: %w", err)
		}
		return proto.Marshal(m)
	})}, nil
}
