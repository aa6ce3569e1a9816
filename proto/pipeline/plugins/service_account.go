package plugins

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

const (
	defaultAccount = "default"
	// accountWait bounds how long the creation of a pod waits for the default service account of a namespace that was
	// created just before.
	accountWait = 2 * time.Second
	tokenMount  = "/var/run/secrets/kubernetes.io/serviceaccount"
	tokenVolume = "kube-api-access-"
	// tokenSeconds is how long a pod's token lives; the odd seconds tell Kubernetes' tools that nobody chose it.
	tokenSeconds = 3607
	rootCA       = "kube-root-ca.crt"
	mirror       = "kubernetes.io/config.mirror"
)

// ServiceAccount gives each pod a service account and, unless it declines, a token of it.
type ServiceAccount struct{ Access strategy.Access }

// Name implements admission.Plugin.
func (*ServiceAccount) Name() string { return "ServiceAccount" }

// Admit implements admission.Plugin.
func (p *ServiceAccount) Admit(ctx context.Context, r *admission.Request) error {
	pod, ok := r.Object.(*corev1.Pod)
	if !ok || r.Operation != admission.Create || r.Subresource != "" || pod.GetSpec() == nil {
		return nil
	}
	if _, is := pod.GetMetadata().GetAnnotations()[mirror]; is {
		return nil // nodes create mirrors of pods that they already run, without accounts
	}
	spec := pod.Spec
	if spec.ServiceAccountName == "" {
		spec.ServiceAccountName = defaultAccount
	}
	spec.ServiceAccount = spec.ServiceAccountName
	account, err := p.account(ctx, r.Namespace, spec.ServiceAccountName)
	if err != nil {
		if !apierrors.IsNotFound(err) {
			return err
		}
		return apierrors.NewForbidden("", "pods", pod.GetMetadata().GetName(),
			fmt.Errorf("error looking up service account %s/%s: %w", r.Namespace, spec.ServiceAccountName, err))
	}
	if mounts(spec, account) {
		mountToken(spec)
	}
	if len(spec.ImagePullSecrets) == 0 {
		spec.ImagePullSecrets = account.GetImagePullSecrets()
	}
	return nil
}

// account returns a service account. The default one follows its namespace by a moment, and is waited for.
func (p *ServiceAccount) account(ctx context.Context, namespace, name string) (*corev1.ServiceAccount, error) {
	it, ok := p.Access.Lookup("", "serviceaccounts", namespace, name)
	if !ok {
		var err error
		if name == defaultAccount {
			wait, cancel := context.WithTimeout(ctx, accountWait)
			defer cancel()
			it, err = p.Access.Await(wait, "", "serviceaccounts", namespace, name)
		} else {
			it, err = p.Access.Read(ctx, "", "serviceaccounts", namespace, name)
		}
		if err != nil {
			return nil, err
		}
	}
	msg, err := it.Decode()
	if err != nil {
		return nil, apierrors.NewInternal(err)
	}
	return msg.(*corev1.ServiceAccount), nil
}

func mounts(spec *corev1.PodSpec, account *corev1.ServiceAccount) bool {
	switch {
	case spec.AutomountServiceAccountToken != nil:
		return *spec.AutomountServiceAccountToken
	case account.AutomountServiceAccountToken != nil:
		return *account.AutomountServiceAccountToken
	}
	return true
}

// mountToken adds the volume with the token, and mounts it where the container has nothing of its own there.
func mountToken(spec *corev1.PodSpec) {
	name := ""
	for _, list := range [][]*corev1.Container{spec.InitContainers, spec.Containers} {
		for _, c := range list {
			if hasMount(c) {
				continue
			}
			if name == "" {
				name = volumeName(spec)
			}
			c.VolumeMounts = append(c.VolumeMounts, &corev1.VolumeMount{Name: name, ReadOnly: true, MountPath: tokenMount})
		}
	}
	if name != "" {
		spec.Volumes = append(spec.Volumes, volume(name))
	}
}

func hasMount(c *corev1.Container) bool {
	for _, m := range c.VolumeMounts {
		if m.GetMountPath() == tokenMount {
			return true
		}
	}
	return false
}

func volumeName(spec *corev1.PodSpec) string {
	const alphabet = "bcdfghjklmnpqrstvwxz2456789"
	for {
		b := []byte(tokenVolume)
		for range 5 {
			b = append(b, alphabet[rand.IntN(len(alphabet))])
		}
		free := true
		for _, v := range spec.Volumes {
			free = free && v.GetName() != string(b)
		}
		if free {
			return string(b)
		}
	}
}

func volume(name string) *corev1.Volume {
	return &corev1.Volume{Name: name, VolumeSource: &corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		DefaultMode: proto.Int32(0o644),
		Sources: []*corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{ExpirationSeconds: proto.Int64(tokenSeconds), Path: "token"}},
			{ConfigMap: &corev1.ConfigMapProjection{
				LocalObjectReference: &corev1.LocalObjectReference{Name: rootCA},
				Items:                []*corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}},
			}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []*corev1.DownwardAPIVolumeFile{{
				Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{ApiVersion: "v1", FieldPath: "metadata.namespace"},
			}}}},
		},
	}}}
}
