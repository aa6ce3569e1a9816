package schema

import (
	"sync"

	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/keelson/keelson/proto/schema/kinds"

	// The groups that are linked are the groups there are.
	_ "github.com/keelson/keelson/proto/gen/keelson/admission/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/admissionregistration/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/apidiscovery/v2"
	_ "github.com/keelson/keelson/proto/gen/keelson/apiextensions/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/apiregistration/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/authentication/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/authorization/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/autoscaling/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/autoscaling/v2"
	_ "github.com/keelson/keelson/proto/gen/keelson/batch/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/certificates/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/coordination/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/events/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/flowcontrol/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/networking/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/node/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/policy/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/scheduling/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/scheduling/v1alpha3"
	_ "github.com/keelson/keelson/proto/gen/keelson/storage/v1"
	_ "github.com/keelson/keelson/proto/gen/keelson/storagemigration/v1"
)

// Builtin returns the registry of all linked kinds.
var Builtin = sync.OnceValue(func() *Registry {
	return NewRegistry(protoregistry.GlobalFiles, kinds.All())
})
