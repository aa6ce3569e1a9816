package node

import (
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

// kind is a kind of object that pods refer to by name.
type kind uint8

const (
	kindSecret kind = iota
	kindConfigMap
	kindClaim
	kindServiceAccount
)

// ref is a reference of a pod to an object of its namespace.
type ref struct {
	kind kind
	name string
}

// mirrorAnnotation marks a pod that a kubelet made from a file of its own.
const mirrorAnnotation = "kubernetes.io/config.mirror"

// refsOf lists what a kubelet has to read to run the pod, each once.
func refsOf(pod *corev1.Pod) []ref {
	w := walker{seen: make(map[ref]struct{})}
	spec := pod.GetSpec()
	w.add(kindServiceAccount, spec.GetServiceAccountName())
	for _, s := range spec.GetImagePullSecrets() {
		w.add(kindSecret, s.GetName())
	}
	for _, c := range spec.GetInitContainers() {
		w.container(c.GetEnv(), c.GetEnvFrom())
	}
	for _, c := range spec.GetContainers() {
		w.container(c.GetEnv(), c.GetEnvFrom())
	}
	for _, c := range spec.GetEphemeralContainers() {
		common := c.GetEphemeralContainerCommon()
		w.container(common.GetEnv(), common.GetEnvFrom())
	}
	for _, v := range spec.GetVolumes() {
		w.volume(pod.GetMetadata().GetName(), v)
	}
	return w.refs
}

type walker struct {
	refs []ref
	seen map[ref]struct{}
}

func (w *walker) add(k kind, name string) {
	r := ref{k, shared(name)}
	if _, ok := w.seen[r]; ok || name == "" {
		return
	}
	w.seen[r] = struct{}{}
	w.refs = append(w.refs, r)
}

func (w *walker) container(env []*corev1.EnvVar, from []*corev1.EnvFromSource) {
	for _, e := range env {
		w.add(kindSecret, e.GetValueFrom().GetSecretKeyRef().GetLocalObjectReference().GetName())
		w.add(kindConfigMap, e.GetValueFrom().GetConfigMapKeyRef().GetLocalObjectReference().GetName())
	}
	for _, f := range from {
		w.add(kindSecret, f.GetSecretRef().GetLocalObjectReference().GetName())
		w.add(kindConfigMap, f.GetConfigMapRef().GetLocalObjectReference().GetName())
	}
}

func (w *walker) volume(pod string, v *corev1.Volume) {
	s := v.GetVolumeSource()
	w.add(kindSecret, s.GetSecret().GetSecretName())
	w.add(kindConfigMap, s.GetConfigMap().GetLocalObjectReference().GetName())
	w.add(kindClaim, s.GetPersistentVolumeClaim().GetClaimName())
	if s.GetEphemeral() != nil {
		w.add(kindClaim, pod+"-"+v.GetName())
	}
	for _, p := range s.GetProjected().GetSources() {
		w.add(kindSecret, p.GetSecret().GetLocalObjectReference().GetName())
		w.add(kindConfigMap, p.GetConfigMap().GetLocalObjectReference().GetName())
	}
	for _, secret := range []string{
		s.GetCsi().GetNodePublishSecretRef().GetName(), s.GetIscsi().GetSecretRef().GetName(),
		s.GetRbd().GetSecretRef().GetName(), s.GetCephfs().GetSecretRef().GetName(),
		s.GetCinder().GetSecretRef().GetName(), s.GetFlexVolume().GetSecretRef().GetName(),
		s.GetScaleIO().GetSecretRef().GetName(), s.GetStorageos().GetSecretRef().GetName(),
		s.GetAzureFile().GetSecretName(),
	} {
		w.add(kindSecret, secret)
	}
}

// audiencesOf lists the audiences of the tokens that the pod mounts; "" is the API server's own.
func audiencesOf(pod *corev1.Pod) []string {
	var out []string
	for _, v := range pod.GetSpec().GetVolumes() {
		for _, p := range v.GetVolumeSource().GetProjected().GetSources() {
			if t := p.GetServiceAccountToken(); t != nil {
				out = append(out, shared(t.GetAudience()))
			}
		}
	}
	if len(out) == 1 && out[0] == "" {
		return serverAudience
	}
	return out
}

// serverAudience is what nearly all pods have, not to be written to.
var serverAudience = []string{""}
