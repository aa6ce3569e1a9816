// Package v1beta1 holds the older form of the kind: another name for the replicas, and the page below content.
package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/conversion"

	sitev1 "github.com/keelson/keelson/deploy/ecosystem/api/v1"
)

// GroupVersion of the kind.
var GroupVersion = schema.GroupVersion{Group: "web.example.com", Version: "v1beta1"}

// AddToScheme registers the kind.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &Site{}, &SiteList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}

// Site is the older form.
type Site struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              Spec          `json:"spec"`
	Status            sitev1.Status `json:"status,omitempty"`
}

// Spec of a site.
type Spec struct {
	Size    *int32  `json:"size,omitempty"`
	Content Content `json:"content"`
	Image   string  `json:"image,omitempty"`
}

// Content of a site.
type Content struct {
	Page string `json:"page"`
}

// SiteList is a collection of sites.
type SiteList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Site `json:"items"`
}

// ConvertTo implements conversion.Convertible.
func (s *Site) ConvertTo(hub conversion.Hub) error {
	to := hub.(*sitev1.Site)
	to.ObjectMeta = s.ObjectMeta
	to.Spec = sitev1.Spec{Replicas: s.Spec.Size, Page: s.Spec.Content.Page, Image: s.Spec.Image}
	to.Status = s.Status
	return nil
}

// ConvertFrom implements conversion.Convertible.
func (s *Site) ConvertFrom(hub conversion.Hub) error {
	from := hub.(*sitev1.Site)
	s.ObjectMeta = from.ObjectMeta
	s.Spec = Spec{Size: from.Spec.Replicas, Content: Content{Page: from.Spec.Page}, Image: from.Spec.Image}
	s.Status = from.Status
	return nil
}

// DeepCopyObject implements runtime.Object.
func (s *Site) DeepCopyObject() runtime.Object {
	out := *s
	out.ObjectMeta = *s.ObjectMeta.DeepCopy()
	if s.Spec.Size != nil {
		out.Spec.Size = new(*s.Spec.Size)
	}
	out.Status.Conditions = append([]metav1.Condition(nil), s.Status.Conditions...)
	return &out
}

// DeepCopyObject implements runtime.Object.
func (l *SiteList) DeepCopyObject() runtime.Object {
	out := *l
	out.ListMeta = *l.ListMeta.DeepCopy()
	out.Items = make([]Site, len(l.Items))
	for i := range l.Items {
		out.Items[i] = *l.Items[i].DeepCopyObject().(*Site)
	}
	return &out
}
