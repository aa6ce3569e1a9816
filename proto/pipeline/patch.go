package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/codec"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/apply"
	"github.com/keelson/keelson/proto/schema/merge"
)

// Patch changes an object, its status, or another of its subresources by one of the four patch types.
func (s *Server) Patch(ctx context.Context, req *resourcev1.PatchRequest) (result *Result, err error) {
	r, err := s.object(ctx, req.GetRef(), "patch")
	if err == nil {
		err = r.options(req.GetOptions())
	}
	if err != nil {
		return nil, err
	}
	defer r.warnAnyway(&err)
	r.patching = true
	if req.GetType() == resourcev1.PatchType_PATCH_TYPE_APPLY {
		r.force = proto.Bool(req.GetForce())
	}
	if n := len(req.GetPatch()); n > s.cfg.MaxObjectBytes {
		return nil, apierrors.NewRequestEntityTooLarge(fmt.Sprintf("limit is %d", s.cfg.MaxObjectBytes))
	}
	if err := r.authorize(ctx, "patch"); err != nil {
		return nil, err
	}
	h, err := s.handler(r)
	if err != nil {
		return nil, err
	}
	if h != nil {
		return r.patchHandled(ctx, h, req)
	}
	if req.GetType() == resourcev1.PatchType_PATCH_TYPE_APPLY {
		return r.apply(ctx, req)
	}
	it, deleted, err := r.update(ctx, change{make: func(old Object) (Object, error) {
		obj := r.res.kind.New()
		return obj.(Object), r.patch(r.res.kind, old, obj, req)
	}})
	if err != nil {
		return nil, err
	}
	return &Result{Item: it, Deleted: deleted, Warnings: r.warnings}, nil
}

// patch sets obj to old with a patch (other than an apply) on it.
func (r *request) patch(k *schema.Kind, old, obj proto.Message, req *resourcev1.PatchRequest) error {
	from, p := old, partOf(k, old, req)
	if p != nil {
		from = p.touched
	}
	tree, err := k.ToTree(from)
	if err != nil {
		return apierrors.NewInternal(err)
	}
	switch req.GetType() {
	case resourcev1.PatchType_PATCH_TYPE_JSON:
		tree, err = merge.JSON(tree, req.GetPatch())
	case resourcev1.PatchType_PATCH_TYPE_MERGE:
		tree, err = merge.Merge(tree, req.GetPatch())
	case resourcev1.PatchType_PATCH_TYPE_STRATEGIC_MERGE:
		if k.IsCustom() {
			return apierrors.NewUnsupportedMediaType(customPatches)
		}
		tree, err = merge.Strategic(k.Descriptor, tree, req.GetPatch())
	default:
		return apierrors.NewBadRequest(fmt.Sprintf("patch type %s is not known", req.GetType()))
	}
	if err != nil {
		return err
	}
	if err := r.fromPatched(k, req.GetPatch(), tree, obj); err != nil {
		return apierrors.NewInvalid("", "", "", causes("FieldValueInvalid", "patch",
			fmt.Sprintf("Invalid value: %q: %v", req.GetPatch(), err)))
	}
	p.complete(obj, old)
	return nil
}

// customPatches are the patches that custom kinds take: their schemas have no keys for strategic ones.
const customPatches = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"

// fromTree reads a patched tree. The type that it says must still be the kind's.
func (r *request) fromTree(k *schema.Kind, tree map[string]any, obj proto.Message) error {
	var tm codec.TypeMeta
	warnings, err := k.FromTree(tree, obj, codec.DecodeOptions{Validation: r.validation, TypeMeta: &tm})
	if err != nil {
		return err
	}
	if err := sameType(k, tm); err != nil {
		return err
	}
	r.warnings = append(r.warnings[:0:0], warnings...)
	metadata(obj)
	return nil
}

// checkConfig checks an applied configuration as an object that is sent. Fields that a custom kind does not have are refused
// by the type with which the configuration is merged, whatever validation the client asks for.
func (r *request) checkConfig(config *codec.Node) (codec.Warnings, error) {
	k, o := r.res.kind, codec.DecodeOptions{Validation: r.validation, TypeMeta: &codec.TypeMeta{}}
	if k.IsCustom() {
		o.Validation = codec.Ignore
	}
	warnings, err := k.Check(config, o)
	if err != nil {
		return nil, err
	}
	if tm := *o.TypeMeta; tm.APIVersion != k.APIVersion() || tm.Kind != k.Kind {
		if !strings.Contains(tm.APIVersion, "/") {
			tm.APIVersion = "/" + tm.APIVersion
		}
		return nil, apierrors.NewBadRequest(fmt.Sprintf("invalid object type: %s, Kind=%s", tm.APIVersion, tm.Kind))
	}
	return warnings, nil
}

// sameType refuses a patch that makes an object something else.
func sameType(k *schema.Kind, tm codec.TypeMeta) error {
	if tm.APIVersion != k.APIVersion() || tm.Kind != k.Kind {
		return fmt.Errorf("the patch makes the object a %s %s; it is a %s %s", tm.APIVersion, tm.Kind, k.APIVersion(), k.Kind)
	}
	return nil
}

// mustManage refuses an apply that names no field manager.
func mustManage(req *resourcev1.PatchRequest) error {
	if req.GetOptions().GetFieldManager() == "" {
		return apierrors.NewInvalid("meta.k8s.io", "PatchOptions", "", causes("FieldValueRequired", "fieldManager",
			"Required value: is required for apply patch"))
	}
	return nil
}

// apply merges a configuration into the object, which it creates where it is not there.
func (r *request) apply(ctx context.Context, req *resourcev1.PatchRequest) (*Result, error) {
	if err := mustManage(req); err != nil {
		return nil, err
	}
	config, err := r.readConfig(req.GetPatch())
	if err != nil {
		return nil, err
	}
	return r.applyConfig(ctx, req, config)
}

func (r *request) applyConfig(ctx context.Context, req *resourcev1.PatchRequest, config *codec.Node) (*Result, error) {
	var managed []*metav1.ManagedFieldsEntry
	var warnings []string
	checked := false
	merge := func(old Object) (Object, error) {
		a := apply.Request{Kind: r.res.kind, Config: config, Writer: r.writer(), Force: req.GetForce()}
		if old != nil {
			a.Live = old
		}
		// What the client sent is checked by itself: the stored object's fields are known anyway.
		if !checked {
			var err error
			if warnings, err = r.checkConfig(config); err != nil {
				return nil, r.undecodable(err)
			}
			checked = true
		}
		r.warnings = append(slices.Clone(r.configWarnings), warnings...)
		res, err := apply.Apply(a)
		if err != nil {
			return nil, r.undecodable(err)
		}
		obj := res.Object.(Object)
		meta := metadata(obj)
		managed = meta.GetManagedFields()
		if old == nil {
			if uid := meta.GetUid(); uid != "" {
				return nil, apierrors.NewConflict(r.res.kind.Group, r.res.kind.Plural, r.name,
					fmt.Errorf("uid mismatch: the provided object specified uid %s, and no existing object was found", uid))
			}
			meta.ResourceVersion = ""
		}
		if err := r.address(obj); err != nil {
			return nil, err
		}
		return obj, nil
	}
	return r.upsert(ctx, change{
		make: merge,
		manage: func(old, obj Object) (Object, error) {
			keepTimes(obj, old, managed)
			return obj, nil
		},
	}, func(obj Object) (Object, error) {
		obj.GetMetadata().ManagedFields = managed
		return obj, nil
	})
}

// isMissing tells whether a NotFound was about the object itself.
func (r *request) isMissing(ctx context.Context) bool {
	_, err := r.read(ctx)
	return apierrors.IsNotFound(err)
}

func (r *request) undecodable(err error) error {
	k := r.res.kind
	var status *apierrors.StatusError
	if errors.As(err, &status) {
		return err
	}
	return apierrors.NewBadRequest(fmt.Sprintf("failed to create typed patch object (%s/%s; %s/%s, Kind=%s): %v", r.namespace, r.name,
		k.Group, k.Version, k.Kind, err))
}

// readConfig reads an apply's configuration, which is YAML, of which JSON is a part.
func (r *request) readConfig(patch []byte) (*codec.Node, error) {
	// Programs send JSON: that need not go through the YAML parser, which has the last word on everything else.
	var nodes codec.Nodes
	n, err := nodes.Parse(patch)
	plain := err == nil && !nodes.Repeats()
	if err != nil {
		json, err := yaml.YAMLToJSON(patch)
		if err != nil {
			return nil, apierrors.NewBadRequest("error decoding YAML: " + err.Error())
		}
		if n, err = codec.ParseNode(json); err != nil {
			return nil, apierrors.NewBadRequest("error decoding YAML: " + err.Error())
		}
	}
	if n.Kind != codec.ObjectNode {
		return nil, apierrors.NewBadRequest("error decoding YAML: the configuration is not an object")
	}
	if r.validation != codec.Ignore && !plain {
		if err := yaml.UnmarshalStrict(patch, &map[string]any{}); err != nil {
			if r.validation == codec.Strict {
				return nil, apierrors.NewBadRequest("error strict decoding YAML: " + err.Error())
			}
			r.configWarnings = append(r.configWarnings, err.Error())
		}
	}
	return &n, nil
}

// patchHandled patches what a subresource shows, and puts it back.
func (r *request) patchHandled(ctx context.Context, h *Handler, req *resourcev1.PatchRequest) (*Result, error) {
	if h.Get == nil || h.Update == nil {
		return nil, r.unsupported("patch")
	}
	k := r.body(h)
	if req.GetType() == resourcev1.PatchType_PATCH_TYPE_APPLY {
		return r.applyHandled(ctx, h, req)
	}
	for attempt := 1; ; attempt++ {
		shown, err := r.handle(ctx, h.Get, nil)
		if err != nil {
			return nil, err
		}
		old, err := shown.Decode()
		if err != nil {
			return nil, apierrors.NewInternal(err)
		}
		obj := old.ProtoReflect().New().Interface()
		if err := r.patch(k, old, obj, req); err != nil {
			return nil, err
		}
		if o, ok := obj.(Object); ok {
			if err := r.named(o); err != nil {
				return nil, err
			}
		}
		if err := r.admitBody(ctx, admission.Update, k, obj, old); err != nil {
			return nil, err
		}
		it, err := r.handle(ctx, h.Update, obj)
		if apierrors.IsConflict(err) && attempt < updateAttempts && !insists(req) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return &Result{Item: it, Warnings: r.warnings}, nil
	}
}

// applyHandled applies a configuration of what a subresource shows, as one of the object.
func (r *request) applyHandled(ctx context.Context, h *Handler, req *resourcev1.PatchRequest) (*Result, error) {
	if h.Applied == nil {
		return nil, apierrors.NewBadRequest("server-side apply on " + r.res.kind.Plural + "/" + r.sub + " is not supported; use a merge patch")
	}
	if err := mustManage(req); err != nil {
		return nil, err
	}
	config, err := r.readConfig(req.GetPatch())
	if err != nil {
		return nil, err
	}
	k := r.body(h)
	part := config.Tree().(map[string]any)
	if err := r.fromTree(k, part, k.New()); err != nil {
		return nil, r.undecodable(err)
	}
	whole := h.Applied.Config(part)
	whole["apiVersion"], whole["kind"] = r.res.kind.APIVersion(), r.res.kind.Kind
	warnings := append(slices.Clone(r.configWarnings), r.warnings...)
	json, err := codec.AppendTree(nil, whole)
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	if config, err = r.readConfig(json); err != nil {
		return nil, err
	}
	result, err := r.applyConfig(ctx, req, config)
	if err != nil {
		return nil, err
	}
	obj, err := result.Item.Decode()
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	it, err := r.wrap(h.Applied.Show(obj))
	if err != nil {
		return nil, err
	}
	return &Result{Item: it, Warnings: warnings}, nil
}

// insists tells whether a patch names a resourceVersion: then it is not tried again on another one.
func insists(req *resourcev1.PatchRequest) bool {
	v, err := codec.ParseTree(req.GetPatch())
	if err != nil {
		return true
	}
	tree, _ := v.(map[string]any)
	meta, _ := tree["metadata"].(map[string]any)
	return meta["resourceVersion"] != nil || tree == nil
}
