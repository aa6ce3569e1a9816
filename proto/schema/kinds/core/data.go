package core

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// MaxData is the most bytes that the values of a secret or config map may have.
const MaxData = 1 << 20

const (
	immutableField = "field is immutable when `immutable` is set"
	redacted       = "<secret contents redacted>"
)

func key(k string, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	for _, msg := range validation.IsConfigMapKey(k) {
		errs = append(errs, field.Invalid(at.Key(k), k, msg))
	}
	return errs
}

func configMap(c, old *corev1.ConfigMap) rule.ErrorList {
	var errs rule.ErrorList
	size := 0
	data, binary := field.NewPath("data"), field.NewPath("binaryData")
	for _, k := range slices.Sorted(maps.Keys(c.Data)) {
		errs = append(errs, key(k, data)...)
		if _, twice := c.BinaryData[k]; twice {
			errs = append(errs, field.Invalid(data.Key(k), k, "duplicate of key present in binaryData"))
		}
		size += len(c.Data[k])
	}
	for _, k := range slices.Sorted(maps.Keys(c.BinaryData)) {
		errs = append(errs, key(k, binary)...)
		size += len(c.BinaryData[k])
	}
	if size > MaxData {
		errs = append(errs, field.TooLong(field.NewPath(""), "", MaxData))
	}
	if old.GetImmutable() {
		if !c.GetImmutable() {
			errs = append(errs, field.Forbidden(field.NewPath("immutable"), immutableField))
		}
		if !maps.Equal(c.Data, old.Data) {
			errs = append(errs, field.Forbidden(data, immutableField))
		}
		if !equalBytes(c.BinaryData, old.BinaryData) {
			errs = append(errs, field.Forbidden(binary, immutableField))
		}
	}
	return errs
}

func equalBytes(a, b map[string][]byte) bool {
	return maps.EqualFunc(a, b, func(x, y []byte) bool { return string(x) == string(y) })
}

// ServiceAccountName is the annotation by which a token secret names its account.
const ServiceAccountName = "kubernetes.io/service-account.name"

func secret(s, old *corev1.Secret) rule.ErrorList {
	var errs rule.ErrorList
	data := field.NewPath("data")
	size := 0
	for _, k := range slices.Sorted(maps.Keys(s.Data)) {
		errs = append(errs, key(k, data)...)
		size += len(s.Data[k])
	}
	if size > MaxData {
		errs = append(errs, field.TooLong(data, "", MaxData))
	}
	errs = append(errs, secretType(s, data)...)
	if old.GetImmutable() {
		if !s.GetImmutable() {
			errs = append(errs, field.Forbidden(field.NewPath("immutable"), immutableField))
		}
		if !equalBytes(s.Data, old.Data) {
			errs = append(errs, field.Forbidden(data, immutableField))
		}
	}
	return errs
}

func secretType(s *corev1.Secret, data *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	require := func(name string) bool {
		if _, ok := s.Data[name]; !ok {
			errs = append(errs, field.Required(data.Key(name), ""))
			return false
		}
		return true
	}
	document := func(name string) {
		if require(name) && !json.Valid(s.Data[name]) {
			errs = append(errs, field.Invalid(data.Key(name), redacted, "must be valid json"))
		}
	}
	switch s.Type {
	case "kubernetes.io/service-account-token":
		if s.GetMetadata().GetAnnotations()[ServiceAccountName] == "" {
			errs = append(errs, field.Required(field.NewPath("metadata", "annotations").Key(ServiceAccountName), ""))
		}
	case "kubernetes.io/dockercfg":
		document(".dockercfg")
	case "kubernetes.io/dockerconfigjson":
		document(".dockerconfigjson")
	case "kubernetes.io/basic-auth":
		_, user := s.Data["username"]
		_, password := s.Data["password"]
		if !user && !password {
			require("username")
			require("password")
		}
	case "kubernetes.io/ssh-auth":
		if len(s.Data["ssh-privatekey"]) == 0 {
			errs = append(errs, field.Required(data.Key("ssh-privatekey"), ""))
		}
	case "kubernetes.io/tls":
		require("tls.crt")
		require("tls.key")
	}
	return errs
}

func namespace(n, old *corev1.Namespace) rule.ErrorList {
	var errs rule.ErrorList
	for _, f := range n.GetSpec().GetFinalizers() {
		at := field.NewPath("spec", "finalizers")
		for _, msg := range validation.IsQualifiedName(f) {
			errs = append(errs, field.Invalid(at, f, msg))
		}
		if f != "kubernetes" && !strings.Contains(f, "/") {
			errs = append(errs, field.Invalid(at, f, "name is neither a standard finalizer name nor is it fully qualified"))
		}
	}
	return errs
}

func node(n, old *corev1.Node) rule.ErrorList {
	var errs rule.ErrorList
	at := field.NewPath("spec")
	seen := map[string]bool{}
	for i, t := range n.GetSpec().GetTaints() {
		at := at.Child("taints").Index(i)
		for _, msg := range validation.IsQualifiedName(t.Key) {
			errs = append(errs, field.Invalid(at.Child("key"), t.Key, msg))
		}
		for _, msg := range validation.IsValidLabelValue(t.Value) {
			errs = append(errs, field.Invalid(at.Child("value"), t.Value, msg))
		}
		switch t.Effect {
		case "NoSchedule", "PreferNoSchedule", "NoExecute":
		case "":
			errs = append(errs, field.Required(at.Child("effect"), ""))
		default:
			errs = append(errs, field.NotSupported(at.Child("effect"), t.Effect, []string{"NoSchedule", "PreferNoSchedule", "NoExecute"}))
		}
		if id := t.Key + ":" + t.Effect; seen[id] {
			e := field.Duplicate(at, rule.Value(t))
			e.Detail = "taints must be unique by key and effect pair"
			errs = append(errs, e)
		} else {
			seen[id] = true
		}
	}
	if old == nil {
		return errs
	}
	if was := old.GetSpec().GetPodCIDRs(); len(was) > 0 && !slices.Equal(was, n.GetSpec().GetPodCIDRs()) {
		errs = append(errs, field.Forbidden(at.Child("podCIDRs"), "node updates may not change podCIDR except from \"\" to valid"))
	}
	if was := old.GetSpec().GetProviderID(); was != "" && was != n.GetSpec().GetProviderID() {
		errs = append(errs, field.Forbidden(at.Child("providerID"), "node updates may not change providerID except from \"\" to valid"))
	}
	return errs
}
