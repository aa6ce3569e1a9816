// Package media negotiates representations: which of JSON, YAML and Kubernetes' protobuf a client reads, whether it
// wants the object, a table or only the metadata, and in which of the three a request body is written.
package media

import (
	"mime"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Format is an encoding of objects.
type Format int

// The formats spoken.
const (
	JSON Format = iota
	YAML
	Protobuf
)

// Content types of the formats.
const (
	TypeJSON     = "application/json"
	TypeYAML     = "application/yaml"
	TypeProtobuf = "application/vnd.kubernetes.protobuf"
)

// ContentType is the MIME type of a format.
func (f Format) ContentType() string {
	switch f {
	case YAML:
		return TypeYAML
	case Protobuf:
		return TypeProtobuf
	}
	return TypeJSON
}

// View is the shape of the answer.
type View int

// The shapes.
const (
	// Object is the object or list itself.
	Object View = iota
	// Table is what kubectl get prints (meta.k8s.io Table).
	Table
	// Metadata is PartialObjectMetadata or its list.
	Metadata
)

// Accepted is one acceptable representation.
type Accepted struct {
	Format Format
	View   View
	// ViewVersion is the version of meta.k8s.io asked for: v1 or v1beta1.
	ViewVersion string
	// Params are the media type's parameters, such as "stream" and "g".
	Params map[string]string
}

// Want says what an endpoint can produce.
type Want struct {
	// Formats are the encodings offered, the first being the default.
	Formats []Format
	// Stream tells that a watch is answered. It has no YAML form.
	Stream bool
	// MetadataProtobuf tells that only metadata has a protobuf form.
	MetadataProtobuf bool
	// Views tells whether tables and metadata are offered for this resource.
	Views bool
	// NoTables tells that of the two only metadata is.
	NoTables bool
}

// Supported lists the content types of the formats, for 406 and 415 messages.
func Supported(formats []Format) []string {
	out := make([]string, 0, len(formats))
	for _, f := range formats {
		out = append(out, f.ContentType())
	}
	return out
}

// Supported lists what an endpoint can produce, for a 406.
func (w Want) Supported() []string {
	out := Supported(w.Formats)
	if w.Stream {
		for i := range out {
			out[i] += ";stream=watch"
		}
	}
	return out
}

// Negotiate picks the client's most preferred representation among those offered; ok is false where there is none
// (406). A missing Accept header takes the default.
func Negotiate(r *http.Request, want Want) (a Accepted, ok bool) {
	header := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(header) == "" {
		return Accepted{Format: want.Formats[0]}, true
	}
	for _, c := range parseAccept(header) {
		format, ok := c.format(want.Formats)
		if stream := c.params["stream"]; !ok || stream != "" && (stream != "watch" || format == YAML) {
			continue
		}
		a := Accepted{Format: format, Params: c.params}
		switch c.params["as"] {
		case "":
			if format == Protobuf && want.MetadataProtobuf {
				continue
			}
			return a, true
		case "Table":
			a.View = Table
		case "PartialObjectMetadata", "PartialObjectMetadataList":
			a.View = Metadata
		default:
			continue
		}
		a.ViewVersion = c.params["v"]
		if !want.Views || c.params["g"] != "meta.k8s.io" || (a.ViewVersion != "v1" && a.ViewVersion != "v1beta1") {
			continue
		}
		if a.View == Table && (want.NoTables || format == Protobuf) {
			continue // tables have no protobuf form
		}
		return a, true
	}
	return Accepted{}, false
}

// NegotiateAs is Negotiate for an endpoint whose other representation is a document of its own kind, in one of several
// versions of a group: ViewVersion is set where the client prefers it.
func NegotiateAs(r *http.Request, formats []Format, group, kind string, versions ...string) (a Accepted, ok bool) {
	for _, c := range parseAccept(strings.Join(r.Header.Values("Accept"), ",")) {
		format, ok := c.format(formats)
		if !ok {
			continue
		}
		if c.params["as"] == "" {
			return Accepted{Format: format, Params: c.params}, true
		}
		if c.params["as"] == kind && c.params["g"] == group && slices.Contains(versions, c.params["v"]) {
			return Accepted{Format: format, ViewVersion: c.params["v"], Params: c.params}, true
		}
	}
	return Accepted{}, false
}

// clause is one element of an Accept header.
type clause struct {
	kind   string
	params map[string]string
	q      float64
}

func (c clause) format(offered []Format) (Format, bool) {
	for _, f := range offered {
		t := f.ContentType()
		switch {
		case c.kind == t, c.kind == "*/*", c.kind == "application/*":
			return f, true
		case f == YAML && (c.kind == "application/x-yaml" || c.kind == "text/yaml"):
			return f, true
		}
	}
	return 0, false
}

// parseAccept returns the clauses, most preferred first. Parameters are kept in lower-case keys; values as written.
func parseAccept(header string) []clause {
	var out []clause
	for _, part := range strings.Split(header, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		fields := strings.Split(part, ";")
		c := clause{kind: strings.ToLower(strings.TrimSpace(fields[0])), q: 1, params: map[string]string{}}
		for _, p := range fields[1:] {
			key, value, _ := strings.Cut(p, "=")
			key, value = strings.ToLower(strings.TrimSpace(key)), strings.Trim(strings.TrimSpace(value), `"`)
			if key == "q" {
				if q, err := strconv.ParseFloat(value, 64); err == nil {
					c.q = q
				}
				continue
			}
			c.params[key] = value
		}
		if c.q > 0 {
			out = append(out, c)
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].q > out[j].q })
	return out
}

// OfBody says in which format a request body is written; ok is false for a type that is not spoken (415). An absent
// Content-Type means JSON.
func OfBody(contentType string) (f Format, ok bool) {
	if contentType == "" {
		return JSON, true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return JSON, false
	}
	switch kind {
	case TypeJSON:
		return JSON, true
	case TypeYAML, "application/x-yaml", "text/yaml":
		return YAML, true
	case TypeProtobuf:
		return Protobuf, true
	}
	return JSON, false
}

// Pretty tells whether JSON is indented: the client asks, or it is a person with a browser or curl.
func Pretty(r *http.Request) bool {
	if v := r.URL.Query().Get("pretty"); v != "" {
		pretty, err := strconv.ParseBool(v)
		return err == nil && pretty
	}
	agent := r.UserAgent()
	return strings.HasPrefix(agent, "curl") || strings.HasPrefix(agent, "Wget") || strings.HasPrefix(agent, "Mozilla/5.0")
}
