package item

import (
	"cmp"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// place is where a value is in an object's own bytes: n of them from at on. Nothing is at 0, which stands for a value that
// is not there. Places rather than strings are half as large, and the collector need not look at them.
type place struct{ at, n uint32 }

// text makes a string of bytes that never change, without copying.
func (i *Item) text(p place) string {
	b := i.own[p.at:][:p.n]
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Labels is how many labels there are.
func (i *Item) Labels() int { return (len(i.places) - i.selectable) / 2 }

// LabelAt returns the n-th label, by key.
func (i *Item) LabelAt(n int) (key, value string) {
	p := i.places[i.selectable+2*n:]
	return i.text(p[0]), i.text(p[1])
}

// Label returns the value of a label.
func (i *Item) Label(key string) (string, bool) {
	for p := i.places[i.selectable:]; len(p) > 0; p = p[2:] {
		if i.text(p[0]) == key {
			return i.text(p[1]), true
		}
	}
	return "", false
}

// selectableField is the value of one of the kind's selectable fields that is not computed.
func (i *Item) selectableField(p *paths, n int) string {
	at := i.places[n]
	switch f := p.forms[n]; {
	case at.at == 0:
		return f.zero()
	case f == formText:
		return i.text(at)
	default:
		v, _ := protowire.ConsumeVarint(i.own[at.at:][:at.n])
		if f == formBoolean {
			return strconv.FormatBool(v != 0)
		}
		return strconv.FormatInt(int64(v), 10)
	}
}

// index finds labels and selectable fields in the bytes.
func (i *Item) index() error {
	if len(i.own) > math.MaxUint32 {
		return fmt.Errorf("%d bytes are too many", len(i.own))
	}
	p := pathsOf(i.Kind)
	i.selectable = len(p.forms)
	if n := i.selectable + 2*labelsIn(i.own[:i.body]); n > 0 {
		i.places = make([]place, i.selectable, n)
	}
	if err := i.walk(0, i.body, p, p.root, true); err != nil {
		return err
	}
	i.sortLabels()
	return nil
}

// sortLabels sorts labels by key. Of those with the same key the last wins, as in any protobuf map.
func (i *Item) sortLabels() {
	labels := byKey{i}
	if !sort.IsSorted(labels) {
		sort.Sort(labels)
	}
	kept := i.selectable
	for at := i.selectable; at < len(i.places); at += 2 {
		if kept > i.selectable && i.text(i.places[kept-2]) == i.text(i.places[at]) {
			kept -= 2
		}
		i.places[kept], i.places[kept+1] = i.places[at], i.places[at+1]
		kept += 2
	}
	i.places = i.places[:kept]
}

// byKey sorts an item's labels by key, and those with the same key as they come.
type byKey struct{ *Item }

func (l byKey) Len() int { return l.Labels() }

func (l byKey) Less(a, b int) bool {
	x, y := l.places[l.selectable+2*a], l.places[l.selectable+2*b]
	return cmp.Or(strings.Compare(l.text(x), l.text(y)), cmp.Compare(x.at, y.at)) < 0
}

func (l byKey) Swap(a, b int) {
	p := l.places[l.selectable:]
	p[2*a], p[2*b], p[2*a+1], p[2*b+1] = p[2*b], p[2*a], p[2*b+1], p[2*a+1]
}

// walk visits the fields that the tree names, and labels, in own[at:end], and skips all others.
func (i *Item) walk(at, end int, p *paths, t *node, root bool) error {
	for at < end {
		num, typ, tag := protowire.ConsumeTag(i.own[at:end])
		if tag < 0 {
			return protowire.ParseError(tag)
		}
		at += tag
		n := protowire.ConsumeFieldValue(num, typ, i.own[at:end])
		if n < 0 {
			return protowire.ParseError(n)
		}
		next, content := at+n, at
		if typ == protowire.BytesType {
			v, _ := protowire.ConsumeBytes(i.own[at:next])
			content = next - len(v)
		}
		if root && num == fieldMetadata && typ == protowire.BytesType {
			if err := i.walkLabels(content, next); err != nil {
				return err
			}
		}
		child := t.child(num)
		switch {
		case child == nil:
		case child.leaf < 0 && typ == protowire.BytesType:
			if err := i.walk(content, next, p, child, false); err != nil {
				return err
			}
		case child.leaf >= 0 && typ == p.forms[child.leaf].wire():
			i.places[child.leaf] = place{uint32(content), uint32(next - content)}
		}
		at = next
	}
	return nil
}

func (i *Item) walkLabels(at, end int) error {
	for at < end {
		num, entry, n, err := field(i.own[at:end])
		if err != nil {
			return err
		}
		at += n
		if num != metaLabels {
			continue
		}
		// What is missing is an empty string, wherever.
		label := [2]place{{at: uint32(at)}, {at: uint32(at)}}
		for entryAt := at - len(entry); entryAt < at; {
			num, v, n, err := field(i.own[entryAt:at])
			if err != nil {
				return err
			}
			entryAt += n
			if num == mapEntryKey || num == mapEntryValue {
				label[num-mapEntryKey] = place{uint32(entryAt - len(v)), uint32(len(v))}
			}
		}
		i.places = append(i.places, label[:]...)
	}
	return nil
}

// labelsIn counts the labels of an object: places made for them have no room for others.
func labelsIn(body []byte) (count int) {
	for len(body) > 0 {
		num, meta, n, err := field(body)
		if err != nil {
			break
		}
		body = body[n:]
		if num != fieldMetadata {
			continue
		}
		for len(meta) > 0 {
			num, _, n, err := field(meta)
			if err != nil {
				break
			}
			if num == metaLabels {
				count++
			}
			meta = meta[n:]
		}
	}
	return count
}
