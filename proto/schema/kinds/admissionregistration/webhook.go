package admissionregistration

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	v1 "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

// webhook is what both kinds of webhooks have in common.
type webhook interface {
	GetName() string
	GetClientConfig() *v1.WebhookClientConfig
	GetRules() []*v1.RuleWithOperations
	GetSideEffects() string
	GetTimeoutSeconds() int32
	GetAdmissionReviewVersions() []string
	GetNamespaceSelector() *metav1.LabelSelector
	GetObjectSelector() *metav1.LabelSelector
	GetMatchConditions() []*v1.MatchCondition
}

func validatingWebhooks(c, _ *v1.ValidatingWebhookConfiguration) rule.ErrorList {
	return webhooks(c.Webhooks)
}

func mutatingWebhooks(c, _ *v1.MutatingWebhookConfiguration) rule.ErrorList {
	return webhooks(c.Webhooks)
}

func webhooks[T webhook](list []T) rule.ErrorList {
	var errs rule.ErrorList
	names := map[string]bool{}
	for i, w := range list {
		at := field.NewPath("webhooks").Index(i)
		errs = append(errs, one(w, at)...)
		errs = append(errs, reviewVersions(w.GetAdmissionReviewVersions(), at.Child("admissionReviewVersions"))...)
		if names[w.GetName()] {
			errs = append(errs, field.Duplicate(at.Child("name"), w.GetName()))
		}
		names[w.GetName()] = true
	}
	return errs
}

func one(w webhook, at *rule.Path) rule.ErrorList {
	errs := validation.IsFullyQualifiedName(at.Child("name"), w.GetName())
	for i, r := range w.GetRules() {
		errs = append(errs, operations(r, at.Child("rules").Index(i), false)...)
	}
	switch effects := w.GetSideEffects(); effects {
	case "None", "NoneOnDryRun":
	case "":
		errs = append(errs, field.Required(at.Child("sideEffects"), "must specify one of None, NoneOnDryRun"))
	case "Unknown", "Some":
		errs = append(errs, field.NotSupported(at.Child("sideEffects"), effects, []string{"None", "NoneOnDryRun"}))
	}
	if s := w.GetTimeoutSeconds(); s < 1 || s > 30 {
		errs = append(errs, field.Invalid(at.Child("timeoutSeconds"), s, "the timeout value must be between 1 and 30 seconds"))
	}
	errs = append(errs, rule.LabelSelector(w.GetNamespaceSelector(), at.Child("namespaceSelector"))...)
	errs = append(errs, rule.LabelSelector(w.GetObjectSelector(), at.Child("objectSelector"))...)
	errs = append(errs, conditions(w.GetMatchConditions(), at.Child("matchConditions"))...)
	return append(errs, clientConfig(w.GetClientConfig(), at.Child("clientConfig"))...)
}

func clientConfig(c *v1.WebhookClientConfig, at *rule.Path) rule.ErrorList {
	switch {
	case (c.GetService() == nil) == (c == nil || c.Url == nil):
		return rule.ErrorList{field.Required(at, "exactly one of url or service is required")}
	case c.Url != nil:
		return address(*c.Url, at.Child("url"))
	}
	return service(c.Service, at.Child("service"))
}

// address checks a URL: https, a host, a path, nothing else.
func address(text string, at *rule.Path) rule.ErrorList {
	const form = "; desired format: https://host[:port]/path"
	u, err := url.Parse(text)
	if err != nil {
		return rule.ErrorList{field.Required(at, "url must be a valid URL: "+err.Error()+form)}
	}
	var errs rule.ErrorList
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

func service(s *v1.ServiceReference, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if s.GetName() == "" {
		errs = append(errs, field.Required(at.Child("name"), "service name is required"))
	}
	if s.GetNamespace() == "" {
		errs = append(errs, field.Required(at.Child("namespace"), "service namespace is required"))
	}
	for _, msg := range validation.IsValidPortNum(int(s.GetPort())) {
		errs = append(errs, field.Invalid(at.Child("port"), s.GetPort(), "port is not valid: "+msg))
	}
	if s.Path == nil {
		return errs
	}
	return append(errs, servicePath(*s.Path, at.Child("path"))...)
}

func servicePath(path string, at *rule.Path) rule.ErrorList {
	if path == "" || path == "/" {
		return nil
	}
	if path == "//" {
		return rule.ErrorList{field.Invalid(at, path, "segment[0] may not be empty")}
	}
	if !strings.HasPrefix(path, "/") {
		return rule.ErrorList{field.Invalid(at, path, "must start with a '/'")}
	}
	var errs rule.ErrorList
	steps := strings.Split(strings.TrimSuffix(path[1:], "/"), "/")
	for i, step := range steps {
		if step == "" {
			errs = append(errs, field.Invalid(at, path, fmt.Sprintf("segment[%d] may not be empty", i)))
			continue
		}
		for _, msg := range validation.IsDNS1123Subdomain(step) {
			errs = append(errs, field.Invalid(at, path, fmt.Sprintf("segment[%d]: %v", i, msg)))
		}
	}
	return errs
}

func reviewVersions(list []string, at *rule.Path) rule.ErrorList {
	if len(list) == 0 {
		return rule.ErrorList{field.Required(at, "must specify one of v1, v1beta1")}
	}
	var errs rule.ErrorList
	for i, v := range list {
		if slices.Contains(list[:i], v) {
			errs = append(errs, field.Invalid(at.Index(i), v, "duplicate version"))
		}
		for _, msg := range validation.IsDNS1035Label(v) {
			errs = append(errs, field.Invalid(at.Index(i), v, msg))
		}
	}
	if len(errs) == 0 && !slices.Contains(list, "v1") && !slices.Contains(list, "v1beta1") {
		errs = append(errs, field.Invalid(at, list, "must include at least one of v1, v1beta1"))
	}
	return errs
}
