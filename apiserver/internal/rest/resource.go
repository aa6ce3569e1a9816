package rest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/apiserver/internal/rest/body"
	"github.com/keelson/keelson/apiserver/internal/rest/media"
	"github.com/keelson/keelson/apiserver/internal/rest/podstream"
	"github.com/keelson/keelson/apiserver/internal/rest/proxy"
	"github.com/keelson/keelson/apiserver/internal/rest/request"
	"github.com/keelson/keelson/apiserver/internal/rest/respond"
	"github.com/keelson/keelson/proto/apierrors"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/schema"
)

// call is one request for a resource.
type call struct {
	s    *Server
	r    *http.Request
	w    http.ResponseWriter
	info *request.Info
	kind *schema.Kind
	sub  schema.Subresource
}

// resource serves a path under /api/<version>/ or /apis/<group>/<version>/.
func (s *Server) resource(w http.ResponseWriter, r *http.Request, info *request.Info) {
	c := &call{s: s, r: r, w: w, info: info}
	if err := c.find(); err != nil {
		// Who may not ask is not told what there is.
		if denied := c.authorize(info.Verb); denied != nil {
			err = denied
		}
		respond.Error(w, r, err)
		return
	}
	if podstream.Serves(c.kind, info.Subresource) {
		c.stream()
		return
	}
	if proxy.Serves(c.kind, info.Subresource) {
		c.proxy()
		return
	}
	if info.Verb != "watch" {
		var done func()
		c.w, done = respond.Compress(w, r)
		defer done()
	}
	if err := c.dispatch(); err != nil {
		warn(c.w, apierrors.Warnings(err))
		respond.Error(c.w, r, err)
	}
}

// find looks the kind up and checks that the path has a form that is routed.
func (c *call) find() error {
	k, ok := c.s.cfg.Registry.ByResource(c.info.Group, c.info.Version, c.info.Resource)
	if !ok || !k.Served {
		return apierrors.NewUnknownResource(c.info.Group, c.info.Resource)
	}
	c.kind = k
	if k.Deprecation != "" {
		warn(c.w, []string{k.Deprecation})
	}
	unknown := apierrors.NewUnknownResource(k.Group, k.Plural)
	namespaced := c.info.Namespace != "" && !(k.Group == "" && k.Plural == "namespaces")
	switch {
	case namespaced && !k.Namespaced:
		return unknown
	case !namespaced && k.Namespaced && c.info.Name != "":
		return unknown
	}
	if c.info.Subresource != "" {
		if c.sub, ok = k.Subresource(c.info.Subresource); !ok || !c.s.serves(k, c.sub.Name) {
			return unknown
		}
		if proxy.Serves(k, c.sub.Name) {
			// Every method is passed on.
			if c.info.Verb, ok = proxy.Verb(c.r.Method); !ok {
				return notAllowed()
			}
			return nil
		}
		if !slices.Contains(c.sub.Verbs, c.info.Verb) {
			return notAllowed()
		}
		return nil
	}
	switch {
	case c.info.Verb == "create" && c.info.Name != "",
		(c.info.Verb == "update" || c.info.Verb == "patch") && c.info.Name == "",
		c.info.Verb == "deletecollection" && k.Namespaced && !namespaced,
		c.info.Verb == "create" && k.Namespaced && !namespaced,
		k.Ephemeral && c.info.Verb != "create",
		len(k.Verbs) > 0 && !slices.Contains(k.Verbs, c.info.Verb):
		return notAllowed()
	}
	return nil
}

func notAllowed() error {
	return apierrors.New(apierrors.ReasonMethodNotAllowed, "the server does not allow this method on the requested resource", nil)
}

func (c *call) authorize(verb string) error {
	user, _ := identity.FromContext(c.r.Context())
	i := c.info
	return c.s.authorize(c.r.Context(), pipeline.Attributes{User: user, Verb: verb, Group: i.Group, Version: i.Version,
		Resource: i.Resource, Subresource: i.Subresource, Namespace: i.Namespace, Name: i.Name})
}

func (c *call) dispatch() error {
	switch c.info.Verb {
	case "get":
		return c.get()
	case "list":
		return c.list()
	case "watch":
		return c.watch()
	case "create":
		return c.create()
	case "update":
		return c.update()
	case "patch":
		return c.patch()
	case "delete":
		return c.delete()
	case "deletecollection":
		return c.deleteCollection()
	}
	return notAllowed()
}

// want is what a resource can be answered as. Custom objects have no protobuf form, but their metadata has; kinds that are
// never stored have no tables.
func (c *call) want(views bool) media.Want {
	return media.Want{Formats: respond.AllFormats, Views: views, NoTables: c.kind.Ephemeral,
		MetadataProtobuf: c.kind.IsCustom() && c.info.Subresource != "scale"}
}

func (c *call) resourceRef() *resourcev1.Resource {
	return &resourcev1.Resource{Group: c.kind.Group, Version: c.kind.Version, Plural: c.kind.Plural}
}

// namespace of the object; a namespace's own path names it twice.
func (c *call) namespace() string {
	if !c.kind.Namespaced {
		return ""
	}
	return c.info.Namespace
}

func (c *call) ref() *resourcev1.ObjectRef {
	return &resourcev1.ObjectRef{Resource: c.resourceRef(), Namespace: c.namespace(), Name: c.info.Name, Subresource: c.info.Subresource}
}

func (c *call) selection() *resourcev1.Selection {
	return &resourcev1.Selection{Resource: c.resourceRef(), Namespace: c.namespace()}
}

func (c *call) get() error {
	out, err := respond.New(c.w, c.r, c.want(true))
	if err != nil {
		return err
	}
	it, err := c.s.cfg.Pipeline.Get(c.r.Context(), &resourcev1.GetRequest{Ref: c.ref(), ResourceVersion: c.r.URL.Query().Get("resourceVersion")})
	if err != nil {
		return err
	}
	return c.object(out, http.StatusOK, it)
}

// object answers with one object, as a table if that is what the client wants.
func (c *call) object(out *respond.Writer, code int, it *pipeline.Item) error {
	if out.Accept.View == media.Table {
		include, err := includeObject(c.r)
		if err != nil {
			return err
		}
		return out.Table(code, it.Kind, []*pipeline.Item{it}, nil, include)
	}
	return out.Item(code, it)
}

func (c *call) list() error {
	out, err := respond.New(c.w, c.r, c.want(true))
	if err != nil {
		return err
	}
	req, err := request.List(c.r, c.selection())
	if err != nil {
		return err
	}
	l, err := c.s.cfg.Pipeline.List(c.r.Context(), req)
	if err != nil {
		return err
	}
	if out.Accept.View == media.Table {
		include, err := includeObject(c.r)
		if err != nil {
			return err
		}
		return out.Table(http.StatusOK, c.kind, l.Items, l, include)
	}
	return out.List(l)
}

// includeObject says how much of each object a table's rows hold.
func includeObject(r *http.Request) (respond.Include, error) {
	switch v := r.URL.Query().Get("includeObject"); v {
	case "", "Metadata":
		return respond.IncludeMetadata, nil
	case "None":
		return respond.IncludeNone, nil
	case "Object":
		return respond.IncludeObject, nil
	default:
		return "", apierrors.NewBadRequest(fmt.Sprintf(
			"Unable to convert to Table as requested: includeObject: Invalid value: %q: must be 'Metadata', 'Object', 'None', or empty", v))
	}
}

// readObject reads and decodes the body of a create or update.
func (c *call) readObject(o *resourcev1.WriteOptions) (*resourcev1.Object, error) {
	b, err := body.Read(c.r, c.s.cfg.MaxBody)
	if err != nil {
		return nil, err
	}
	obj, err := body.Decode(c.r.Header.Get("Content-Type"), b)
	if err != nil {
		return nil, err
	}
	if obj.Encoding == resourcev1.Encoding_ENCODING_PROTOBUF {
		if err := c.checkEnvelope(obj); err != nil {
			return nil, err
		}
	}
	if err := c.strict(o, obj.Strict); err != nil {
		return nil, err
	}
	return &resourcev1.Object{Raw: obj.Raw, Encoding: obj.Encoding}, nil
}

// checkEnvelope compares a protobuf body's kind with the path's: inside the object nothing says it.
func (c *call) checkEnvelope(obj body.Object) error {
	apiVersion, kind := c.kind.APIVersion(), c.kind.Kind
	if c.info.Subresource != "" {
		apiVersion, kind = schema.APIVersion(c.sub.Group, c.sub.Version), c.sub.Kind
	}
	switch {
	case obj.APIVersion != "" && obj.APIVersion != apiVersion:
		return apierrors.NewBadRequest(fmt.Sprintf("the API version in the data (%s) does not match the expected API version (%s)", obj.APIVersion, apiVersion))
	case obj.Kind != "" && obj.Kind != kind:
		return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s", obj.Kind, obj.APIVersion, kind))
	}
	return nil
}

// strict treats what a lenient YAML reader passed over as the field validation asks.
func (c *call) strict(o *resourcev1.WriteOptions, found []string) error {
	if len(found) == 0 {
		return nil
	}
	switch o.GetFieldValidation() {
	case "Strict":
		return apierrors.NewBadRequest("strict decoding error: " + strings.Join(found, ", "))
	case "Warn":
		warn(c.w, found)
	}
	return nil
}

// options completes write options with what the request's headers say.
func (c *call) manager(o *resourcev1.WriteOptions) *resourcev1.WriteOptions {
	if o.FieldManager == "" {
		o.FieldManager = request.Manager(c.r.UserAgent())
	}
	return o
}

func (c *call) create() error {
	out, err := respond.New(c.w, c.r, c.want(true))
	if err != nil {
		return err
	}
	o, err := request.Write(c.r, "CreateOptions")
	if err != nil {
		return err
	}
	obj, err := c.readObject(o)
	if err != nil {
		return err
	}
	res, err := c.s.cfg.Pipeline.Create(c.r.Context(), &resourcev1.CreateRequest{Ref: c.ref(), Object: obj, Options: c.manager(o)})
	if err != nil {
		return err
	}
	return c.result(out, http.StatusCreated, res)
}

func (c *call) update() error {
	out, err := respond.New(c.w, c.r, c.want(true))
	if err != nil {
		return err
	}
	o, err := request.Write(c.r, "UpdateOptions")
	if err != nil {
		return err
	}
	obj, err := c.readObject(o)
	if err != nil {
		return err
	}
	res, err := c.s.cfg.Pipeline.Update(c.r.Context(), &resourcev1.UpdateRequest{Ref: c.ref(), Object: obj, Options: c.manager(o)})
	if err != nil {
		return err
	}
	return c.result(out, created(res), res)
}

func created(res *pipeline.Result) int {
	if res.Created {
		return http.StatusCreated
	}
	return http.StatusOK
}

// patchTypes are the content types of patches.
var patchTypes = map[string]resourcev1.PatchType{
	"application/json-patch+json":            resourcev1.PatchType_PATCH_TYPE_JSON,
	"application/merge-patch+json":           resourcev1.PatchType_PATCH_TYPE_MERGE,
	"application/strategic-merge-patch+json": resourcev1.PatchType_PATCH_TYPE_STRATEGIC_MERGE,
	"application/apply-patch+yaml":           resourcev1.PatchType_PATCH_TYPE_APPLY,
}

// patchNames lists them as Kubernetes' 415 does.
const patchNames = "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml"

// customPatchNames are those of custom kinds.
const customPatchNames = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"

func (c *call) patch() error {
	contentType, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";")
	typ, ok := patchTypes[strings.ToLower(strings.TrimSpace(contentType))]
	if custom := c.kind.IsCustom() && c.info.Subresource != "scale"; !ok || custom && typ == resourcev1.PatchType_PATCH_TYPE_STRATEGIC_MERGE {
		if custom {
			return apierrors.NewUnsupportedMediaType(customPatchNames)
		}
		return apierrors.NewUnsupportedMediaType(patchNames)
	}
	out, err := respond.New(c.w, c.r, c.want(true))
	if err != nil {
		return err
	}
	o, force, err := request.Patch(c.r, typ == resourcev1.PatchType_PATCH_TYPE_APPLY)
	if err != nil {
		return err
	}
	b, err := body.Read(c.r, c.s.cfg.MaxBody)
	if err != nil {
		return err
	}
	res, err := c.s.cfg.Pipeline.Patch(c.r.Context(), &resourcev1.PatchRequest{Ref: c.ref(), Type: typ, Patch: b, Options: c.manager(o), Force: force})
	if err != nil {
		return err
	}
	return c.result(out, created(res), res)
}

// result answers a write.
func (c *call) result(out *respond.Writer, code int, res *pipeline.Result) error {
	warn(c.w, res.Warnings)
	if res.Item == nil {
		return out.Status(code, &metav1.Status{Status: apierrors.StatusSuccess})
	}
	return c.object(out, code, res.Item)
}

// deleteOptions reads a deletion's options from the body, or from the query where there is none.
func (c *call) deleteOptions() (*metav1.DeleteOptions, error) {
	b, err := body.Read(c.r, c.s.cfg.MaxBody)
	if err != nil {
		return nil, err
	}
	var o *metav1.DeleteOptions
	if len(b) == 0 {
		o, err = request.Delete(c.r.URL.Query())
	} else {
		o, err = decodeDeleteOptions(c.r.Header.Get("Content-Type"), b)
	}
	if err != nil {
		return nil, err
	}
	return o, request.CheckDelete(o)
}

func (c *call) delete() error {
	out, err := respond.New(c.w, c.r, c.want(false))
	if err != nil {
		return err
	}
	o, err := c.deleteOptions()
	if err != nil {
		return err
	}
	res, err := c.s.cfg.Pipeline.Delete(c.r.Context(), &resourcev1.DeleteRequest{Ref: c.ref(), Options: o})
	if err != nil {
		return err
	}
	warn(c.w, res.Warnings)
	if res.Item != nil && !(res.Deleted && statusOfDeletion(c.kind)) {
		return out.Item(http.StatusOK, res.Item)
	}
	details := &metav1.StatusDetails{Name: c.info.Name, Group: c.kind.Group, Kind: c.kind.Plural}
	if res.Item != nil {
		var partial metav1.PartialObjectMetadata
		if err := proto.Unmarshal(res.Item.AppendMetadata(nil), &partial); err != nil {
			return err
		}
		details.Uid = partial.GetMetadata().GetUid()
	}
	return out.Status(http.StatusOK, &metav1.Status{Status: apierrors.StatusSuccess, Details: details})
}

// statusOfDeletion tells whether the deletion of an object that is gone at once is answered with a Status; Kubernetes
// returns the object for a few kinds.
func statusOfDeletion(k *schema.Kind) bool {
	if k.Group != "" {
		return true
	}
	switch k.Plural {
	case "pods", "services", "serviceaccounts", "persistentvolumes", "persistentvolumeclaims", "resourcequotas", "replicationcontrollers", "podtemplates":
		return false
	}
	return true
}

func (c *call) deleteCollection() error {
	out, err := respond.New(c.w, c.r, c.want(false))
	if err != nil {
		return err
	}
	list, err := request.List(c.r, c.selection())
	if err != nil {
		return err
	}
	o, err := c.deleteOptions()
	if err != nil {
		return err
	}
	items, err := c.s.cfg.Pipeline.DeleteCollection(c.r.Context(), &resourcev1.DeleteCollectionRequest{
		Selection: list.Selection, Options: o, Limit: list.Limit, ContinueToken: list.ContinueToken,
		ResourceVersion: list.ResourceVersion, ResourceVersionMatch: list.ResourceVersionMatch})
	if err != nil {
		return err
	}
	return out.List(&pipeline.List{Kind: c.kind, Items: items, Revision: c.s.cfg.Pipeline.Revision()})
}
