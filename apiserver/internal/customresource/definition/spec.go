package definition

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
)

func checkSpec(spec, old *apiextensionsv1.CustomResourceDefinitionSpec) field.ErrorList {
	at := field.NewPath("spec")
	var errs field.ErrorList
	switch g := spec.GetGroup(); {
	case g == "":
		errs = append(errs, field.Required(at.Child("group"), ""))
	case len(validation.IsDNS1123Subdomain(g)) > 0:
		errs = append(errs, field.Invalid(at.Child("group"), g, strings.Join(validation.IsDNS1123Subdomain(g), ",")))
	case !strings.Contains(g, "."):
		errs = append(errs, field.Invalid(at.Child("group"), g, "should be a domain with at least one dot"))
	}
	errs = append(errs, oneOf(spec.GetScope(), at.Child("scope"), "Cluster", "Namespaced")...)
	if spec.GetPreserveUnknownFields() {
		errs = append(errs, field.Invalid(at.Child("preserveUnknownFields"), true, "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"))
	}
	errs = append(errs, checkVersions(spec, old, at.Child("versions"))...)
	names := spec.GetNames()
	for _, f := range [][2]string{{"plural", names.GetPlural()}, {"singular", names.GetSingular()}, {"kind", names.GetKind()}, {"listKind", names.GetListKind()}} {
		if f[1] == "" {
			errs = append(errs, field.Required(at.Child("names", f[0]), ""))
		}
	}
	errs = append(errs, checkNames(names, at.Child("names"))...)
	if versions := spec.GetVersions(); len(versions) > 0 {
		errs = append(errs, checkCommon(versions, before(old, versions[0].GetName()), common(versions), at)...)
	}
	return append(errs, checkConversion(spec.GetConversion(), at.Child("conversion"))...)
}

func oneOf(value string, at *field.Path, allowed ...string) field.ErrorList {
	switch {
	case value == "":
		return field.ErrorList{field.Required(at, "")}
	case !slices.Contains(allowed, value):
		return field.ErrorList{field.NotSupported(at, value, allowed)}
	}
	return nil
}

func checkVersions(spec, old *apiextensionsv1.CustomResourceDefinitionSpec, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	storage := 0
	seen := map[string]bool{}
	unique := true
	alike := common(spec.GetVersions())
	for i, v := range spec.GetVersions() {
		if v.GetSchema().GetOpenAPIV3Schema() == nil {
			errs = append(errs, field.Required(at.Index(i).Child("schema", "openAPIV3Schema"), ""))
		}
	}
	for i, v := range spec.GetVersions() {
		if v.GetStorage() {
			storage++
		}
		unique = unique && !seen[v.GetName()]
		seen[v.GetName()] = true
		if problems := validation.IsDNS1035Label(v.GetName()); len(problems) > 0 {
			errs = append(errs, field.Invalid(at.Index(i).Child("name"), v.GetName(), strings.Join(problems, ",")))
			if i == 0 {
				// What the first version of this API had for the only version.
				errs = append(errs, field.Invalid(field.NewPath("spec", "version"), v.GetName(), strings.Join(problems, ",")))
			}
		}
		errs = append(errs, checkVersion(v, before(old, v.GetName()), alike, at.Index(i))...)
	}
	if !unique {
		errs = append(errs, field.Invalid(at, versionNames(spec), "must contain unique version names"))
	}
	if storage != 1 {
		errs = append(errs, field.Invalid(at, versionNames(spec), "must have exactly one version marked as storage version"))
	}
	return errs
}

// before returns the version with a name as it was.
func before(old *apiextensionsv1.CustomResourceDefinitionSpec, name string) *version {
	for _, v := range old.GetVersions() {
		if v.GetName() == name {
			return v
		}
	}
	return nil
}

func versionNames(spec *apiextensionsv1.CustomResourceDefinitionSpec) []string {
	out := []string{}
	for _, v := range spec.GetVersions() {
		out = append(out, v.GetName())
	}
	return out
}

func checkNames(n *apiextensionsv1.CustomResourceDefinitionNames, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	label := func(value, prefix string, at *field.Path, original string) {
		if problems := validation.IsDNS1035Label(value); value != "" && len(problems) > 0 {
			errs = append(errs, field.Invalid(at, original, prefix+strings.Join(problems, ",")))
		}
	}
	const mixed = "may have mixed case, but should otherwise match: "
	label(n.GetPlural(), "", at.Child("plural"), n.GetPlural())
	label(n.GetSingular(), "", at.Child("singular"), n.GetSingular())
	label(strings.ToLower(n.GetKind()), mixed, at.Child("kind"), n.GetKind())
	label(strings.ToLower(n.GetListKind()), mixed, at.Child("listKind"), n.GetListKind())
	for i, s := range n.GetShortNames() {
		if problems := validation.IsDNS1035Label(s); len(problems) > 0 {
			errs = append(errs, field.Invalid(at.Child("shortNames").Index(i), s, strings.Join(problems, ",")))
		}
	}
	if n.GetKind() != "" && n.GetKind() == n.GetListKind() {
		errs = append(errs, field.Invalid(at.Child("listKind"), n.GetListKind(), "kind and listKind may not be the same"))
	}
	for i, c := range n.GetCategories() {
		if problems := validation.IsDNS1035Label(c); len(problems) > 0 {
			errs = append(errs, field.Invalid(at.Child("categories").Index(i), c, strings.Join(problems, ",")))
		}
	}
	return errs
}

func checkConversion(c *apiextensionsv1.CustomResourceConversion, at *field.Path) field.ErrorList {
	if c == nil {
		return nil
	}
	errs := oneOf(c.GetStrategy(), at.Child("strategy"), "None", "Webhook")
	config := at.Child("webhookClientConfig")
	if c.GetStrategy() != "Webhook" {
		if c.GetWebhook().GetClientConfig() != nil {
			errs = append(errs, field.Forbidden(config, "should not be set when strategy is not set to Webhook"))
		}
		if len(c.GetWebhook().GetConversionReviewVersions()) > 0 {
			errs = append(errs, field.Forbidden(at.Child("conversionReviewVersions"), "should not be set when strategy is not set to Webhook"))
		}
		return errs
	}
	switch w := c.GetWebhook().GetClientConfig(); {
	case w == nil:
		errs = append(errs, field.Required(config, "required when strategy is set to Webhook"))
	case (w.Url == nil) == (w.GetService() == nil):
		errs = append(errs, field.Required(config, "exactly one of url or service is required"))
	case w.Url != nil:
		errs = append(errs, checkURL(w.GetUrl(), config.Child("url"))...)
	default:
		errs = append(errs, checkService(w.GetService(), config.Child("service"))...)
	}
	return append(errs, checkReviews(c.GetWebhook().GetConversionReviewVersions(), at.Child("conversionReviewVersions"))...)
}

func checkURL(text string, at *field.Path) field.ErrorList {
	const form = "; desired format: https://host[/path]"
	u, err := url.Parse(text)
	if err != nil {
		return field.ErrorList{field.Required(at, "url must be a valid URL: "+err.Error()+form)}
	}
	var errs field.ErrorList
	if u.Scheme != "https" {
		errs = append(errs, field.Invalid(at, u.Scheme, "'https' is the only allowed URL scheme"+form))
	}
	if u.Host == "" {
		errs = append(errs, field.Invalid(at, u.Host, "host must be specified"+form))
	}
	if u.User != nil {
		errs = append(errs, field.Invalid(at, u.User.String(), "user information is not permitted in the URL"))
	}
	if u.Fragment != "" {
		errs = append(errs, field.Invalid(at, u.Fragment, "fragments are not permitted in the URL"))
	}
	if u.RawQuery != "" {
		errs = append(errs, field.Invalid(at, u.RawQuery, "query parameters are not permitted in the URL"))
	}
	return errs
}

func checkService(s *apiextensionsv1.ServiceReference, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if s.GetName() == "" {
		errs = append(errs, field.Required(at.Child("name"), ""))
	}
	if s.GetNamespace() == "" {
		errs = append(errs, field.Required(at.Child("namespace"), ""))
	}
	if problems := validation.IsValidPortNum(int(s.GetPort())); len(problems) > 0 {
		errs = append(errs, field.Invalid(at.Child("port"), s.GetPort(), "port is not valid: "+strings.Join(problems, ",")))
	}
	if s.GetPath() == "" || s.GetPath() == "/" {
		return errs
	}
	if !strings.HasPrefix(s.GetPath(), "/") {
		errs = append(errs, field.Invalid(at.Child("path"), s.GetPath(), "must start with a '/'"))
	}
	for i, segment := range strings.Split(strings.TrimSuffix(s.GetPath()[1:], "/"), "/") {
		if segment == "" {
			errs = append(errs, field.Invalid(at.Child("path"), s.GetPath(), fmt.Sprintf("segment[%d] may not be empty", i)))
			continue
		}
		for _, problem := range validation.IsDNS1123Subdomain(segment) {
			errs = append(errs, field.Invalid(at.Child("path"), s.GetPath(), fmt.Sprintf("segment[%d]: %v", i, problem)))
		}
	}
	return errs
}

func checkReviews(versions []string, at *field.Path) field.ErrorList {
	if len(versions) == 0 {
		return field.ErrorList{field.Required(at, "")}
	}
	var errs field.ErrorList
	seen, known := map[string]bool{}, false
	for i, v := range versions {
		if seen[v] {
			errs = append(errs, field.Invalid(at.Index(i), v, "duplicate version"))
			continue
		}
		seen[v] = true
		for _, problem := range validation.IsDNS1035Label(v) {
			errs = append(errs, field.Invalid(at.Index(i), v, problem))
		}
		known = known || v == "v1" || v == "v1beta1"
	}
	if !known {
		errs = append(errs, field.Invalid(at, versions, "must include at least one of v1, v1beta1"))
	}
	return errs
}

// checkApproval wants definitions in groups of the Kubernetes community to say where they were approved.
func checkApproval(crd, old *apiextensionsv1.CustomResourceDefinition) field.ErrorList {
	const annotation = "api-approved.kubernetes.io"
	g := crd.GetSpec().GetGroup()
	if g != "k8s.io" && g != "kubernetes.io" && !strings.HasSuffix(g, ".k8s.io") && !strings.HasSuffix(g, ".kubernetes.io") {
		return nil
	}
	text := crd.GetMetadata().GetAnnotations()[annotation]
	if old != nil && old.GetMetadata().GetAnnotations()[annotation] == text {
		return nil
	}
	at := field.NewPath("metadata", "annotations").Key(annotation)
	if text == "" {
		return field.ErrorList{field.Required(at, "protected groups must have approval annotation \""+annotation+"\", see https://github.com/kubernetes/enhancements/pull/1111")}
	}
	if strings.HasPrefix(text, "unapproved") {
		return nil
	}
	if u, err := url.ParseRequestURI(text); err != nil || u.Host == "" || u.Scheme == "" {
		return field.ErrorList{field.Invalid(at, text, "protected groups must have approval annotation \""+annotation+"\" with either a URL or a reason starting with \"unapproved\", see https://github.com/kubernetes/enhancements/pull/1111")}
	}
	return nil
}
