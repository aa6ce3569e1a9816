package table

import (
	"slices"
	"strings"
	"time"

	apiextensionsv1 "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
)

var _ = register(definitionCells, "spec.scope", "spec.group", "spec.names", "spec.versions.name", "spec.versions.served",
	"spec.versions.storage", "status.conditions.type", "status.conditions.status")

func definitionCells(d *apiextensionsv1.CustomResourceDefinition, _ time.Time) []any {
	spec := d.GetSpec()
	var versions []string
	for _, v := range spec.GetVersions() {
		if !v.Served {
			continue
		}
		name := v.Name
		if v.Storage {
			name += "(storage)"
		}
		versions = append(versions, name)
	}
	slices.Sort(versions)
	established := slices.ContainsFunc(d.GetStatus().GetConditions(), func(c *apiextensionsv1.CustomResourceDefinitionCondition) bool {
		return c.Type == "Established" && c.Status == "True"
	})
	return []any{spec.GetScope(), strings.Join(versions, ","), date(d.Metadata.GetCreationTimestamp().GetSeconds()), spec.GetGroup(),
		spec.GetNames().GetKind(), strings.Join(spec.GetNames().GetShortNames(), ","), established}
}
