package core

import (
	"strings"

	"google.golang.org/protobuf/proto"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// PullPolicy is the image pull policy that follows from an image's name: what may move is always pulled.
func PullPolicy(image string) string {
	if image == "" {
		return "IfNotPresent"
	}
	name, digest, hasDigest := strings.Cut(image, "@")
	tag := ""
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		tag = name[i+1:]
	}
	if tag == "" && (!hasDigest || digest == "") || tag == "latest" {
		return "Always"
	}
	return "IfNotPresent"
}

func defaultContainer(c *corev1.Container) {
	if c.ImagePullPolicy == "" {
		c.ImagePullPolicy = PullPolicy(c.Image)
	}
}

func defaultEphemeral(c *corev1.EphemeralContainerCommon) {
	if c.ImagePullPolicy == "" {
		c.ImagePullPolicy = PullPolicy(c.Image)
	}
}

func defaultVolume(v *corev1.Volume) {
	if proto.Size(v.GetVolumeSource()) == 0 {
		v.VolumeSource = &corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	}
}

// defaultPodSpec keeps the two names of the service account alike.
func defaultPodSpec(s *corev1.PodSpec) {
	switch {
	case s.ServiceAccountName == "" && s.ServiceAccount != "":
		s.ServiceAccountName = s.ServiceAccount
	case s.ServiceAccountName != "":
		s.ServiceAccount = s.ServiceAccountName
	}
}

// defaultPod sets what holds for pods but not for the templates of pods.
func defaultPod(p *corev1.Pod) {
	s := p.GetSpec()
	if s == nil {
		return
	}
	for _, list := range [][]*corev1.Container{s.InitContainers, s.Containers} {
		for _, c := range list {
			requestsFromLimits(c.Resources)
			if s.HostNetwork {
				hostPorts(c.Ports)
			}
		}
	}
	requestsFromLimits(s.Resources)
	if s.EnableServiceLinks == nil {
		s.EnableServiceLinks = proto.Bool(true)
	}
}

// requestsFromLimits requests what is limited and not requested.
func requestsFromLimits(r *corev1.ResourceRequirements) {
	for name, limit := range r.GetLimits() {
		if _, ok := r.Requests[name]; ok {
			continue
		}
		if r.Requests == nil {
			r.Requests = map[string]*metav1.Quantity{}
		}
		r.Requests[name] = proto.CloneOf(limit)
	}
}

func hostPorts(ports []*corev1.ContainerPort) {
	for _, p := range ports {
		if p.HostPort == 0 {
			p.HostPort = p.ContainerPort
		}
	}
}
