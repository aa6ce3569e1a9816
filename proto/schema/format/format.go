// Package format knows the named string formats of the API: what they demand and how a violation is worded. The wording
// is apimachinery's, on which clients rely.
package format

import (
	"net/netip"
	"path"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/api/validate/content"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Func returns what is wrong with a value; nothing if it is right.
type Func func(value string) []string

var named = map[string]Func{
	"dns-label":        first(IsLabel, validation.IsDNS1123Label),
	"dns-1035-label":   validation.IsDNS1035Label,
	"dns-subdomain":    first(IsSubdomain, validation.IsDNS1123Subdomain),
	"wildcard-dns":     WildcardOrSubdomain,
	"qualified-name":   first(IsQualifiedName, validation.IsQualifiedName),
	"label-key":        first(IsQualifiedName, validation.IsQualifiedName),
	"label-value":      first(IsLabelValue, validation.IsValidLabelValue),
	"config-map-key":   first(isDataKey, validation.IsConfigMapKey),
	"env-var-name":     validation.IsRelaxedEnvVarName,
	"http-header-name": validation.IsHTTPHeaderName,
	"port-name":        validation.IsValidPortName,
	"percent":          validation.IsValidPercent,
	"ip":               IP,
	"cidr":             CIDR,
	"path-segment":     content.IsPathSegmentName,
	"absolute-path":    AbsolutePath,
	"path":             NonEmptyPath,
	"quantity":         first(isQuantity, Quantity),
	"c-identifier":     validation.IsCIdentifier,
	// Names that Kubernetes' own declarations use.
	"k8s-short-name":         first(IsLabel, validation.IsDNS1123Label),
	"k8s-long-name":          first(IsSubdomain, validation.IsDNS1123Subdomain),
	"k8s-long-name-caseless": caseless,
	"k8s-label-key":          first(IsQualifiedName, validation.IsQualifiedName),
	"k8s-prefixed-label-key": content.IsPrefixedLabelKey,
	"k8s-label-value":        first(IsLabelValue, validation.IsValidLabelValue),
}

// Named returns the function of a format; nil for formats of numbers and those that only describe.
func Named(name string) Func { return named[name] }

// Known tells whether a name is a format of strings.
func Known(name string) bool { return named[name] != nil }

// Name applies a name format to metadata.name or, with prefix, to generateName, whose end may be cut.
func Name(format, name string, prefix bool) []string {
	if IsLabel(name) && (format == "dns-label" || format == "dns-subdomain" || format == "") || format == "dns-subdomain" && IsSubdomain(name) {
		return nil
	}
	switch format {
	case "dns-label":
		return apivalidation.NameIsDNSLabel(name, prefix)
	case "ip":
		var problems []string
		for _, e := range validation.IsValidIP(nil, name) {
			problems = append(problems, e.Detail)
		}
		return problems
	case "dns-1035-label":
		return apivalidation.NameIsDNS1035Label(name, prefix)
	case "path-segment":
		if prefix {
			return content.IsPathSegmentPrefix(name)
		}
		return content.IsPathSegmentName(name)
	}
	return apivalidation.NameIsDNSSubdomain(name, prefix)
}

// IP accepts an address as net.ParseIP does.
func IP(value string) []string {
	if _, err := netip.ParseAddr(value); err != nil || strings.Contains(value, "%") {
		return []string{"must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"}
	}
	return nil
}

// CIDR accepts an address with a prefix length.
func CIDR(value string) []string {
	if _, err := netip.ParsePrefix(value); err != nil {
		return []string{"must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"}
	}
	return nil
}

// WildcardOrSubdomain accepts "*.example.org" and plain subdomains.
func WildcardOrSubdomain(value string) []string {
	if strings.HasPrefix(value, "*") {
		return validation.IsWildcardDNS1123Subdomain(value)
	}
	return validation.IsDNS1123Subdomain(value)
}

// AbsolutePath accepts a clean path from the root.
func AbsolutePath(value string) []string {
	if !path.IsAbs(value) {
		return []string{"must be an absolute path"}
	}
	return nil
}

// NonEmptyPath refuses paths that lead upwards.
func NonEmptyPath(value string) []string {
	for part := range strings.SplitSeq(value, "/") {
		if part == ".." {
			return []string{"must not contain '..'"}
		}
	}
	return nil
}

// Quantity accepts what resource quantities are written as.
func Quantity(value string) []string {
	if _, err := resource.ParseQuantity(value); err != nil {
		return []string{err.Error()}
	}
	return nil
}

// caseless accepts subdomains with capitals, which CSI drivers' names may have.
func caseless(value string) []string { return validation.IsDNS1123Subdomain(strings.ToLower(value)) }
