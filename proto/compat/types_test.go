package compat

import (
	"flag"
	"math/rand"
	"sort"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	resourcev1 "k8s.io/api/resource/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	schedulingv1alpha3 "k8s.io/api/scheduling/v1alpha3"
	storagev1 "k8s.io/api/storage/v1"
	storagemigrationv1 "k8s.io/api/storagemigration/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"sigs.k8s.io/randfill"

	optionsv1 "github.com/keelson/keelson/proto/gen/keelson/options/v1"
	ours "github.com/keelson/keelson/proto/schema"
)

var iterations = flag.Int("iterations", 40, "random objects for each type and direction")

// theirs knows every group of k8s.io that has a counterpart here, and more: what is here is looked up in it.
var theirs = func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		admissionv1.AddToScheme, admissionregistrationv1.AddToScheme, apidiscoveryv2.AddToScheme, appsv1.AddToScheme,
		authenticationv1.AddToScheme, authorizationv1.AddToScheme, autoscalingv1.AddToScheme, autoscalingv2.AddToScheme,
		batchv1.AddToScheme, certificatesv1.AddToScheme, coordinationv1.AddToScheme, corev1.AddToScheme,
		discoveryv1.AddToScheme, eventsv1.AddToScheme, flowcontrolv1.AddToScheme, networkingv1.AddToScheme, storagemigrationv1.AddToScheme,
		nodev1.AddToScheme, policyv1.AddToScheme, rbacv1.AddToScheme, resourcev1.AddToScheme, schedulingv1.AddToScheme,
		schedulingv1alpha3.AddToScheme, storagev1.AddToScheme, apiextensionsv1.AddToScheme, apiregistrationv1.AddToScheme,
	} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}()

// wire is what their generated types can do.
type wire interface {
	runtime.Object
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
}

// root is a type that both sides have.
type root struct {
	gvk  schema.GroupVersionKind
	desc protoreflect.MessageDescriptor
}

func (r root) String() string { return r.gvk.GroupVersion().String() + "." + r.gvk.Kind }

// their returns a new object of the type on Kubernetes' side.
func (r root) their(t testing.TB) wire {
	obj, err := theirs.New(r.gvk)
	if err != nil {
		t.Fatal(err)
	}
	w, ok := obj.(wire)
	if !ok {
		t.Fatalf("%T has no protobuf encoding", obj)
	}
	return w
}

// our returns a new message of the type.
func (r root) our(t testing.TB) proto.Message {
	mt, err := protoregistry.GlobalTypes.FindMessageByName(r.desc.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return mt.New().Interface()
}

// roots lists the types of this API that Kubernetes registers: kinds, their lists, bodies of subresources, options.
func roots(t testing.TB) []root {
	ours.Builtin() // links all groups
	var all []root
	protoregistry.GlobalFiles.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		gv, _ := proto.GetExtension(fd.Options(), optionsv1.E_GroupVersion).(*optionsv1.GroupVersion)
		if gv == nil || gv.GetVersion() == "" {
			return true
		}
		for i := range fd.Messages().Len() {
			md := fd.Messages().Get(i)
			gvk := schema.GroupVersionKind{Group: gv.GetGroup(), Version: gv.GetVersion(), Kind: string(md.Name())}
			if theirs.Recognizes(gvk) {
				all = append(all, root{gvk: gvk, desc: md})
			}
		}
		return true
	})
	// Types of meta/v1 are in no group, and yet are sent by themselves.
	for _, kind := range []string{"Status", "DeleteOptions", "PartialObjectMetadata", "PartialObjectMetadataList", "APIResourceList", "APIGroup", "APIGroupList", "APIVersions"} {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName("keelson.meta.v1." + kind))
		if err != nil {
			t.Errorf("meta/v1 %s: %v", kind, err)
			continue
		}
		all = append(all, root{gvk: schema.GroupVersionKind{Version: "v1", Kind: kind}, desc: d.(protoreflect.MessageDescriptor)})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].String() < all[j].String() })
	return all
}

func init() {
	theirs.AddKnownTypes(schema.GroupVersion{Version: "v1"},
		&metav1.Status{}, &metav1.PartialObjectMetadata{}, &metav1.PartialObjectMetadataList{}, &metav1.DeleteOptions{},
		&metav1.APIResourceList{}, &metav1.APIGroup{}, &metav1.APIGroupList{}, &metav1.APIVersions{})
}

// filler makes random objects of their types.
func filler(seed int64) *randfill.Filler {
	codecs := serializer.NewCodecFactory(theirs)
	return newFiller(rand.NewSource(seed), codecs)
}

// TestEveryKindHasACounterpart keeps the table honest: a kind that Kubernetes does not know would not be compared.
func TestEveryKindHasACounterpart(t *testing.T) {
	known := map[protoreflect.FullName]bool{}
	for _, r := range roots(t) {
		known[r.desc.FullName()] = true
	}
	for _, k := range ours.Builtin().Kinds() {
		if k.Descriptor != nil && !known[k.Descriptor.FullName()] {
			t.Errorf("%s %s has no counterpart in k8s.io", k.APIVersion(), k.Kind)
		}
	}
	if len(known) < 100 {
		t.Errorf("only %d types are compared", len(known))
	}
}
