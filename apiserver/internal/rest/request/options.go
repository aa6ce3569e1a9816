package request

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

const metaGroup = "meta.k8s.io"

// maxManager is the longest name of a field manager in bytes.
const maxManager = 128

// problems gathers what is wrong with the options of one request, to be told at once.
type problems []*metav1.StatusCause

func (p *problems) add(reason, field, message string) {
	*p = append(*p, &metav1.StatusCause{Reason: reason, Field: field, Message: message})
}

func (p *problems) forbidden(field, message string) {
	p.add(apierrors.CauseFieldForbidden, field, "Forbidden: "+message)
}

func (p *problems) unsupported(field, value string, supported ...string) {
	quoted := make([]string, len(supported))
	for i, s := range supported {
		quoted[i] = strconv.Quote(s)
	}
	p.add(apierrors.CauseFieldNotSupported, field, fmt.Sprintf("Unsupported value: %q: supported values: %s", value, strings.Join(quoted, ", ")))
}

func (p problems) err(kind string) error {
	if len(p) == 0 {
		return nil
	}
	return apierrors.NewInvalid(metaGroup, kind, "", p)
}

// Write reads the options of a create or update. kind names them in errors: "CreateOptions".
func Write(r *http.Request, kind string) (*resourcev1.WriteOptions, error) {
	var bad problems
	o := write(r.URL.Query(), &bad)
	return o, bad.err(kind)
}

// write reads the options of every write.
func write(q url.Values, bad *problems) *resourcev1.WriteOptions {
	o := &resourcev1.WriteOptions{FieldManager: q.Get("fieldManager"), FieldValidation: q.Get("fieldValidation")}
	switch {
	case len(o.FieldManager) > maxManager:
		bad.add(apierrors.CauseFieldTooLong, "fieldManager", fmt.Sprintf("Too long: may not be more than %d bytes", maxManager))
	default:
		for i, c := range o.FieldManager {
			if !unicode.IsPrint(c) {
				bad.add(apierrors.CauseFieldInvalid, "fieldManager", fmt.Sprintf("Invalid value: %q: invalid character %#U (at position %d)", o.FieldManager, c, i))
			}
		}
	}
	o.DryRun = dryRun(q["dryRun"], bad)
	switch o.FieldValidation {
	case "":
		o.FieldValidation = "Warn"
	case "Ignore", "Warn", "Strict":
	default:
		bad.unsupported("fieldValidation", o.FieldValidation, "", "Ignore", "Strict", "Warn")
	}
	return o
}

// dryRun reads the list of stages that are to be left out; only all of them is known.
func dryRun(values []string, bad *problems) bool {
	if slices.ContainsFunc(values, func(v string) bool { return v != "All" }) {
		bad.add(apierrors.CauseFieldNotSupported, "dryRun", fmt.Sprintf("Unsupported value: %s: supported values: \"All\"", list(values)))
	}
	return len(values) > 0
}

// list writes a list of strings as errors show it.
func list(values []string) string {
	b, err := json.Marshal(values)
	if err != nil {
		return fmt.Sprint(values)
	}
	return string(b)
}

// Manager is the field manager of a request that names none: the program in its User-Agent.
func Manager(userAgent string) string {
	name, _, _ := strings.Cut(userAgent, "/")
	name = strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return -1
	}, name)
	if len(name) > maxManager {
		name = strings.ToValidUTF8(name[:maxManager], "")
	}
	return name
}

// Patch reads the options of a patch: those of every write, and force.
func Patch(r *http.Request, apply bool) (o *resourcev1.WriteOptions, force bool, err error) {
	q := r.URL.Query()
	var bad problems
	switch {
	case apply && q.Get("fieldManager") == "":
		bad.add(apierrors.CauseFieldRequired, "fieldManager", "Required value: is required for apply patch")
	case !apply && q.Has("force"):
		bad.forbidden("force", "may not be specified for non-apply patch")
	}
	o = write(q, &bad)
	return o, boolean(q.Get("force"), q.Has("force")), bad.err("PatchOptions")
}

// List reads the options of a list.
func List(r *http.Request, sel *resourcev1.Selection) (*resourcev1.ListRequest, error) {
	q := r.URL.Query()
	selectors(q, sel)
	o := &resourcev1.ListRequest{Selection: sel, ResourceVersion: q.Get("resourceVersion"),
		ResourceVersionMatch: q.Get("resourceVersionMatch"), ContinueToken: q.Get("continue")}
	var err error
	if o.Limit, _, err = numbers(q); err != nil {
		return nil, err
	}
	var bad problems
	if match := o.ResourceVersionMatch; match != "" {
		if o.ResourceVersion == "" {
			bad.forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided")
		}
		if o.ContinueToken != "" {
			bad.forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided")
		}
		if match != "Exact" && match != "NotOlderThan" {
			bad.unsupported("resourceVersionMatch", match, "Exact", "NotOlderThan", "")
		}
		if match == "Exact" && o.ResourceVersion == "0" {
			bad.forbidden("resourceVersionMatch", `resourceVersionMatch "exact" is forbidden for resourceVersion "0"`)
		}
	}
	if q.Has("sendInitialEvents") {
		bad.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")
	}
	return o, bad.err("ListOptions")
}

// Watch reads the options of a watch.
func Watch(r *http.Request, sel *resourcev1.Selection) (*resourcev1.WatchOpen, error) {
	q := r.URL.Query()
	selectors(q, sel)
	o := &resourcev1.WatchOpen{Selection: sel, ResourceVersion: q.Get("resourceVersion"),
		ResourceVersionMatch: q.Get("resourceVersionMatch"),
		AllowBookmarks:       boolean(q.Get("allowWatchBookmarks"), q.Has("allowWatchBookmarks")),
		SendInitialEvents:    boolean(q.Get("sendInitialEvents"), q.Has("sendInitialEvents"))}
	var err error
	if _, o.TimeoutSeconds, err = numbers(q); err != nil {
		return nil, err
	}
	var bad problems
	match, asked := o.ResourceVersionMatch, q.Has("sendInitialEvents")
	if asked && match != "NotOlderThan" {
		bad.forbidden("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
	}
	if match != "" {
		if !asked {
			bad.forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
		}
		if match != "NotOlderThan" {
			bad.unsupported("resourceVersionMatch", match, "NotOlderThan")
		}
		if q.Get("continue") != "" {
			bad.forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided")
		}
	}
	if !o.SendInitialEvents {
		// What it is about has been checked; without initial events it means nothing.
		o.ResourceVersionMatch = ""
	}
	return o, bad.err("ListOptions")
}

// numbers reads the numbers among the options of lists and watches: both forms of a request refuse what is none.
func numbers(q url.Values) (limit, timeoutSeconds int64, err error) {
	if limit, err = integer(q, "limit"); err == nil {
		timeoutSeconds, err = integer(q, "timeoutSeconds")
	}
	return limit, timeoutSeconds, err
}

func selectors(q url.Values, sel *resourcev1.Selection) {
	sel.LabelSelector, sel.FieldSelector = q.Get("labelSelector"), q.Get("fieldSelector")
}

// Delete reads the options of a deletion from the query; a body takes their place.
func Delete(q url.Values) (*metav1.DeleteOptions, error) {
	o := &metav1.DeleteOptions{DryRun: slices.Clone(q["dryRun"])}
	if q.Has("gracePeriodSeconds") {
		n, err := integer(q, "gracePeriodSeconds")
		if err != nil {
			return nil, err
		}
		o.GracePeriodSeconds = &n
	}
	if q.Has("orphanDependents") {
		o.OrphanDependents = proto.Bool(boolean(q.Get("orphanDependents"), true))
	}
	if q.Has("propagationPolicy") {
		o.PropagationPolicy = proto.String(q.Get("propagationPolicy"))
	}
	if uid := q.Get("uid"); uid != "" {
		o.Preconditions = &metav1.Preconditions{Uid: &uid}
	}
	return o, nil
}

// CheckDelete refuses deletion options that contradict themselves.
func CheckDelete(o *metav1.DeleteOptions) error {
	var bad problems
	if o.PropagationPolicy != nil {
		p := o.GetPropagationPolicy()
		if o.OrphanDependents != nil {
			bad.add(apierrors.CauseFieldInvalid, "propagationPolicy", fmt.Sprintf(
				"Invalid value: %q: orphanDependents and deletionPropagation cannot be both set", p))
		}
		switch p {
		case "Foreground", "Background", "Orphan":
		default:
			bad.unsupported("propagationPolicy", p, "Foreground", "Background", "Orphan", "nil")
		}
	}
	dryRun(o.GetDryRun(), &bad)
	return bad.err("DeleteOptions")
}

func integer(q url.Values, key string) (int64, error) {
	v := q.Get(key)
	if v == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, apierrors.NewBadRequest(err.Error())
	}
	return n, nil
}
