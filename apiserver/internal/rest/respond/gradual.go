package respond

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"

	"sigs.k8s.io/yaml"

	"github.com/keelson/keelson/apiserver/internal/rest/media"
	"github.com/keelson/keelson/proto/pipeline"
)

// wholeUpTo is how many items are put together before they are indented or turned to YAML. More are written one by one:
// a list that a client is slow to read, or never reads, must not stand in memory in full.
const wholeUpTo = 8

// form writes the frame of a list and its items in a format that is not plain JSON.
type form interface {
	// frame divides the list without its items, given as JSON, into what stands before and after them.
	frame(empty []byte) (before, after []byte, err error)
	// item appends an item, given as JSON.
	item(dst, item []byte, first bool) ([]byte, error)
}

// gradual is array for indented JSON and YAML.
func (w *Writer) gradual(code int, head []byte, items []*pipeline.Item, item func([]byte, *pipeline.Item) ([]byte, error)) error {
	f, contentType := form(&indented{}), media.TypeJSON
	if w.Accept.Format == media.YAML {
		f, contentType = asYAML{}, media.TypeYAML
	}
	buf, after, err := f.frame(append(append(make([]byte, 0, len(head)+2), head...), ']', '}'))
	if err != nil {
		return err
	}
	started := false
	var one []byte
	for i, it := range items {
		one, err = item(one[:0], it)
		if err == nil {
			buf, err = f.item(buf, one, i == 0)
		}
		switch {
		case err != nil && started:
			// The client must not take the beginning for the whole.
			panic(http.ErrAbortHandler)
		case err != nil:
			return err
		case len(buf) < chunk:
			continue
		}
		if !started {
			w.start(code, contentType, -1)
			started = true
		}
		if _, err := w.Write(buf); err != nil {
			return nil //nolint:nilerr // the client is gone
		}
		buf = buf[:0]
	}
	if !started {
		w.start(code, contentType, -1)
	}
	return w.pieces(buf, after)
}

// indented is JSON with two spaces a level.
type indented struct{ buf bytes.Buffer }

var errFrame = errors.New("a list has no place for its items")

func (f *indented) frame(empty []byte) (before, after []byte, err error) {
	if err := json.Indent(&f.buf, empty, "", "  "); err != nil {
		return nil, nil, err
	}
	before, ok := bytes.CutSuffix(f.buf.Bytes(), []byte("]\n}"))
	if !ok {
		return nil, nil, errFrame
	}
	return bytes.Clone(before), []byte("\n  ]\n}"), nil
}

func (f *indented) item(dst, item []byte, first bool) ([]byte, error) {
	f.buf.Reset()
	if err := json.Indent(&f.buf, item, "    ", "  "); err != nil {
		return dst, err
	}
	if !first {
		dst = append(dst, ',')
	}
	return append(append(dst, "\n    "...), f.buf.Bytes()...), nil
}

// asYAML is YAML, whose keys are in order: what comes after the items stands behind them.
type asYAML struct{}

func (asYAML) frame(empty []byte) (before, after []byte, err error) {
	y, err := yaml.JSONToYAML(empty)
	if err != nil {
		return nil, nil, err
	}
	for _, key := range []string{"items", "rows"} {
		line := []byte("\n" + key + ": []\n")
		if i := bytes.Index(y, line); i >= 0 {
			return append(bytes.Clone(y[:i]), "\n"+key+":\n"...), y[i+len(line):], nil
		}
	}
	return nil, nil, errFrame
}

func (asYAML) item(dst, item []byte, _ bool) ([]byte, error) {
	y, err := yaml.JSONToYAML(item)
	if err != nil {
		return dst, err
	}
	indent := "- "
	for line := range bytes.Lines(y) {
		if len(line) > 1 {
			dst = append(dst, indent...)
		}
		dst, indent = append(dst, line...), "  "
	}
	return dst, nil
}
