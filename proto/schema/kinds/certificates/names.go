package certificates

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/keelson/keelson/proto/schema/rule"
)

// maxSignerName leaves room in the path for a namespace and a name.
const maxSignerName = 2*validation.DNS1123SubdomainMaxLength + validation.DNS1123LabelMaxLength + 2

// SignerName checks the name of a signer: "example.com/signer".
func SignerName(name string, at *rule.Path) rule.ErrorList {
	if name == "" {
		return rule.ErrorList{field.Required(at, "")}
	}
	domain, path, ok := strings.Cut(name, "/")
	if !ok || strings.Contains(path, "/") {
		return rule.ErrorList{field.Invalid(at, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")}
	}
	var errs rule.ErrorList
	if len(domain) > validation.DNS1123SubdomainMaxLength {
		errs = append(errs, field.TooLong(at, "", validation.DNS1123SubdomainMaxLength))
	}
	// Of several bad labels the first is named.
	labels := func(text string, check func(string) []string) {
		for label := range strings.SplitSeq(text, ".") {
			problems := check(label)
			for _, msg := range problems {
				errs = append(errs, field.Invalid(at, text, fmt.Sprintf("validating label %q: %s", label, msg)))
			}
			if len(problems) > 0 {
				return
			}
		}
	}
	labels(domain, validation.IsDNS1123Label)
	if !strings.Contains(domain, ".") {
		errs = append(errs, field.Invalid(at, domain, "should be a domain with at least two segments separated by dots"))
	}
	labels(path, validation.IsDNS1123Subdomain)
	if len(name) > maxSignerName {
		errs = append(errs, field.TooLong(at, "", maxSignerName))
	}
	return errs
}
