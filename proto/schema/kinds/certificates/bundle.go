package certificates

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	certificatesv1 "github.com/keelson/keelson/proto/gen/keelson/certificates/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

const (
	maxBundle = 1 << 20
	omitted   = "<value omitted>"
)

func trustBundle(b, old *certificatesv1.ClusterTrustBundle) rule.ErrorList {
	signer, name := b.GetSpec().GetSignerName(), b.GetMetadata().GetName()
	var errs rule.ErrorList
	for _, msg := range bundleName(name, signer) {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), name, msg))
	}
	at := field.NewPath("spec")
	if signer != "" {
		errs = append(errs, SignerName(signer, at.Child("signerName"))...)
	}
	if old == nil || old.GetSpec().GetTrustBundle() != b.GetSpec().GetTrustBundle() {
		errs = append(errs, anchors(b.GetSpec().GetTrustBundle(), at.Child("trustBundle"))...)
	}
	return errs
}

// bundleName demands that the name of a signer's bundle begins with the signer's.
func bundleName(name, signer string) []string {
	if signer == "" {
		if strings.Contains(name, ":") {
			return []string{`ClusterTrustBundle without signer name must not have ":" in its name`}
		}
		return validation.NameIsDNSSubdomain(name, false)
	}
	prefix := strings.ReplaceAll(signer, "/", ":") + ":"
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return []string{fmt.Sprintf("ClusterTrustBundle for signerName %s must be named with prefix %s", signer, prefix)}
	}
	return validation.NameIsDNSSubdomain(rest, false)
}

func anchors(text string, at *rule.Path) rule.ErrorList {
	if len(text) > maxBundle {
		return rule.ErrorList{field.TooLong(at, "", maxBundle)}
	}
	var errs rule.ErrorList
	seen := map[string][]int{}
	var order []string
	rest := []byte(text)
	for i := 0; ; i++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if problem := anchor(block); problem != "" {
			errs = append(errs, field.Invalid(at, omitted, fmt.Sprintf("entry %d %s", i, problem)))
			continue
		}
		key := string(block.Bytes)
		if seen[key] == nil {
			order = append(order, key)
		}
		seen[key] = append(seen[key], i)
	}
	if len(errs) > 0 {
		return errs
	}
	if len(seen) == 0 {
		return rule.ErrorList{field.Invalid(at, omitted, "at least one trust anchor must be provided")}
	}
	for _, key := range order {
		if len(seen[key]) > 1 {
			errs = append(errs, field.Invalid(at, omitted, fmt.Sprintf("duplicate trust anchor (indices %v)", seen[key])))
		}
	}
	return errs
}

// anchor tells why a block is no certificate of an authority.
func anchor(block *pem.Block) string {
	if block.Type != "CERTIFICATE" {
		return "has bad block type: " + block.Type
	}
	if len(block.Headers) != 0 {
		return "has PEM block headers"
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	switch {
	case err != nil:
		return "does not parse as X.509"
	case !cert.IsCA:
		return "does not have the CA bit set"
	case !cert.BasicConstraintsValid:
		return "has invalid basic constraints"
	}
	return ""
}
