package storage

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	storagev1 "github.com/keelson/keelson/proto/gen/keelson/storage/v1"
	"github.com/keelson/keelson/proto/schema/kinds/core"
	"github.com/keelson/keelson/proto/schema/rule"
)

const (
	maxDriverName    = 63
	maxNodeID        = 256
	maxMetadataBytes = 256 << 10
	maxMessage       = 1024
	minUpdateSeconds = 10
	minTokenSeconds  = 10 * 60
)

// driverName checks the name of a driver, which may have capitals.
func driverName(name string, at *rule.Path) rule.ErrorList {
	if name == "" {
		return rule.ErrorList{field.Required(at, "")}
	}
	var errs rule.ErrorList
	if len(name) > maxDriverName {
		errs = append(errs, field.TooLong(at, "", maxDriverName))
	}
	return append(errs, messages(at, name, validation.IsDNS1123Subdomain(strings.ToLower(name)))...)
}

func attachment(a, _ *storagev1.VolumeAttachment) rule.ErrorList {
	s, at := a.GetSpec(), field.NewPath("spec")
	src := s.GetSource()
	var errs rule.ErrorList
	const one = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
	here := at.Child("source")
	switch named := src != nil && src.PersistentVolumeName != nil; {
	case !named && src.GetInlineVolumeSpec() == nil:
		errs = append(errs, field.Required(here, one))
	case named && src.InlineVolumeSpec != nil:
		errs = append(errs, field.Forbidden(here, one))
	case named && *src.PersistentVolumeName == "":
		errs = append(errs, field.Required(here.Child("persistentVolumeName"), "must specify non empty persistentVolumeName"))
	case named:
		name := *src.PersistentVolumeName
		errs = append(errs, messages(field.NewPath("spec.source.persistentVolumeName"), name, apivalidation.NameIsDNSSubdomain(name, false))...)
	default:
		errs = append(errs, core.VolumeSpec(src.InlineVolumeSpec, true, here.Child("inlineVolumeSpec"))...)
	}
	errs = append(errs, messages(at.Child("nodeName"), s.GetNodeName(), apivalidation.NameIsDNSSubdomain(s.GetNodeName(), false))...)
	return append(errs, attachmentStatus(a, nil)...)
}

func attachmentStatus(a, _ *storagev1.VolumeAttachment) rule.ErrorList {
	s, at := a.GetStatus(), field.NewPath("status")
	var errs rule.ErrorList
	size := 0
	for k, v := range s.GetAttachmentMetadata() {
		size += len(k) + len(v)
	}
	if size > maxMetadataBytes {
		errs = append(errs, field.TooLong(at.Child("attachmentMetadata"), "", maxMetadataBytes))
	}
	for _, e := range []struct {
		name string
		e    *storagev1.VolumeError
	}{{"attachError", s.GetAttachError()}, {"detachError", s.GetDetachError()}} {
		if len(e.e.GetMessage()) > maxMessage {
			errs = append(errs, field.TooLong(at.Child(e.name, "message"), "", maxMessage))
		}
	}
	return errs
}

func csiNode(n, old *storagev1.CSINode) rule.ErrorList {
	at := field.NewPath("spec", "drivers")
	var errs rule.ErrorList
	seen := map[string]bool{}
	for i, d := range n.GetSpec().GetDrivers() {
		at := at.Index(i)
		errs = append(errs, driverName(d.Name, at.Child("name"))...)
		if d.NodeID == "" {
			errs = append(errs, field.Required(at.Child("nodeID"), ""))
		}
		if len(d.NodeID) > maxNodeID {
			errs = append(errs, field.Invalid(at.Child("nodeID"), d.NodeID, fmt.Sprintf("must be %d characters or less", maxNodeID)))
		}
		if c := d.GetAllocatable().GetCount(); c < 0 {
			errs = append(errs, field.Invalid(at.Child("allocatable", "count"), c, apivalidation.IsNegativeErrorMsg))
		}
		if seen[d.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), d.Name))
		}
		seen[d.Name] = true
		for j, key := range d.TopologyKeys {
			if key == "" {
				errs = append(errs, field.Required(at, ""))
			}
			if slices.Contains(d.TopologyKeys[:j], key) {
				errs = append(errs, field.Duplicate(at, key))
			}
			errs = append(errs, messages(at, key, validation.IsQualifiedName(key))...)
		}
	}
	for _, was := range old.GetSpec().GetDrivers() {
		for _, now := range n.GetSpec().GetDrivers() {
			if now.Name != was.Name {
				continue
			}
			a, b := proto.CloneOf(now), proto.CloneOf(was)
			if a.Allocatable, b.Allocatable = nil, nil; !proto.Equal(a, b) {
				errs = append(errs, field.Invalid(at, rule.Value(a), apivalidation.FieldImmutableErrorMsg))
			}
		}
	}
	return errs
}

func csiDriver(d, old *storagev1.CSIDriver) rule.ErrorList {
	s, at := d.GetSpec(), field.NewPath("spec")
	if s == nil {
		s = &storagev1.CSIDriverSpec{}
	}
	var errs rule.ErrorList
	if p := s.FsGroupPolicy; p != nil && *p != "ReadWriteOnceWithFSType" && *p != "File" && *p != "None" {
		errs = append(errs, field.NotSupported(at.Child("fsGroupPolicy"), *p, []string{"File", "None", "ReadWriteOnceWithFSType"}))
	}
	errs = append(errs, tokens(s.TokenRequests, at.Child("tokenRequests"))...)
	for _, m := range s.VolumeLifecycleModes {
		if m != "Persistent" && m != "Ephemeral" {
			errs = append(errs, field.NotSupported(at.Child("volumeLifecycleModes"), m, []string{"Persistent", "Ephemeral"}))
		}
	}
	if n := s.NodeAllocatableUpdatePeriodSeconds; n != nil && *n < minUpdateSeconds {
		errs = append(errs, field.Invalid(at.Child("nodeAllocatableUpdatePeriodSeconds"), *n, "must be greater than or equal to 10 seconds"))
	}
	if t := s.ServiceAccountTokenInSecrets; t != nil && len(s.TokenRequests) == 0 {
		errs = append(errs, field.Invalid(at.Child("serviceAccountTokenInSecrets"), *t, "serviceAccountTokenInSecrets is set but no tokenRequests are specified"))
	}
	if old != nil && old.GetSpec().GetAttachRequired() != s.GetAttachRequired() {
		errs = append(errs, field.Invalid(at.Child("attachedRequired"), s.GetAttachRequired(), apivalidation.FieldImmutableErrorMsg))
	}
	return errs
}

func tokens(list []*storagev1.TokenRequest, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	seen := map[string]bool{}
	for i, t := range list {
		at := at.Index(i)
		if seen[t.Audience] {
			errs = append(errs, field.Duplicate(at.Child("audience"), t.Audience))
			continue
		}
		seen[t.Audience] = true
		switch n := t.ExpirationSeconds; {
		case n == nil:
		case *n < minTokenSeconds:
			errs = append(errs, field.Invalid(at.Child("expirationSeconds"), *n, "may not specify a duration less than 10 minutes"))
		case *n > 1<<32:
			errs = append(errs, field.Invalid(at.Child("expirationSeconds"), *n, "may not specify a duration larger than 2^32 seconds"))
		}
	}
	return errs
}

func csiCapacity(c, old *storagev1.CSIStorageCapacity) rule.ErrorList {
	at := field.NewPath("storageClassName")
	errs := messages(at, c.StorageClassName, apivalidation.NameIsDNSSubdomain(c.StorageClassName, false))
	if q, ok := rule.Quantity(c.Capacity); ok && q.Sign() < 0 {
		errs = append(errs, field.Invalid(field.NewPath("capacity"), q.String(), apivalidation.IsNegativeErrorMsg))
	}
	if old != nil {
		if !proto.Equal(old.NodeTopology, c.NodeTopology) {
			errs = append(errs, field.Invalid(field.NewPath("nodeTopology"), rule.Value(c.NodeTopology), "field is immutable"))
		}
		if old.StorageClassName != c.StorageClassName {
			errs = append(errs, field.Invalid(at, c.StorageClassName, "field is immutable"))
		}
	}
	return errs
}
