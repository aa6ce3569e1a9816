package openapi

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keelson/keelson/proto/schema"
)

// Name returns the name of a message's schema, which is Kubernetes': "io.k8s.api.apps.v1.Deployment". Tools know the
// names.
func Name(md protoreflect.MessageDescriptor) string {
	pkg, name := strings.TrimPrefix(string(md.ParentFile().Package()), "keelson."), string(md.Name())
	switch {
	case pkg == "meta.v1" && name == "Quantity":
		return "io.k8s.apimachinery.pkg.api.resource.Quantity"
	case pkg == "meta.v1" && name == "IntOrString":
		return "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
	case pkg == "meta.v1" && (name == "RawExtension" || name == "Unknown"):
		return "io.k8s.apimachinery.pkg.runtime." + name
	case pkg == "meta.v1":
		return "io.k8s.apimachinery.pkg.apis.meta.v1." + name
	case strings.HasPrefix(pkg, "apiregistration."):
		return "io.k8s.kube-aggregator.pkg.apis." + pkg + "." + name
	case strings.HasPrefix(pkg, "apiextensions."):
		return "io.k8s.apiextensions-apiserver.pkg.apis." + pkg + "." + name
	}
	return "io.k8s.api." + pkg + "." + name
}

// base is the path below which a group version is served: "/api/v1", "/apis/apps/v1".
func base(group, version string) string {
	if group == "" {
		return "/api/" + version
	}
	return "/apis/" + group + "/" + version
}

// idPrefix begins the operation ids of a kind: "AppsV1", "CoreV1".
func idPrefix(k *schema.Kind) string {
	group := groupName(k.Group)
	return strings.ToUpper(group[:1]) + group[1:] + strings.ToUpper(k.Version[:1]) + k.Version[1:]
}

// groupName is a group as one word: "core", "apps", "rbacAuthorization".
func groupName(group string) string {
	parts := strings.Split(strings.TrimSuffix(group, ".k8s.io"), ".")
	for i, p := range parts {
		if i > 0 && p != "" {
			parts[i] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	if group == "" {
		return "core"
	}
	return strings.Join(parts, "")
}

// tag groups the operations of a group version, by the name that generators of clients know: "core_v1", "apps_v1".
func tag(k *schema.Kind) string { return groupName(k.Group) + "_" + k.Version }
