package volumes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"

	"github.com/keelson/keelson/kubelet/internal/podspec"
)

// file is a rendered file.
type file struct {
	content []byte
	mode    int32
}

// files by their path within the volume.
type files map[string]file

const (
	defaultMode       = 0o644
	defaultExpiration = time.Hour
)

// render makes the content of a volume.
func (m *Manager) render(ctx context.Context, pod *corev1.Pod, s *corev1.VolumeSource) (files, time.Time, error) {
	switch {
	case s.ConfigMap != nil:
		f, err := m.configMap(pod, s.ConfigMap.LocalObjectReference.GetName(), s.ConfigMap.Items, s.ConfigMap.GetOptional(), mode(s.ConfigMap.DefaultMode))
		return f, time.Time{}, err
	case s.Secret != nil:
		f, err := m.secret(pod, s.Secret.SecretName, s.Secret.Items, s.Secret.GetOptional(), mode(s.Secret.DefaultMode))
		return f, time.Time{}, err
	case s.DownwardAPI != nil:
		f, err := m.downward(pod, s.DownwardAPI.Items, mode(s.DownwardAPI.DefaultMode))
		return f, time.Time{}, err
	case s.Projected != nil:
		return m.projected(ctx, pod, s.Projected)
	}
	return nil, time.Time{}, fmt.Errorf("%s is not supported", sourceName(s))
}

// sourceName is the field of a volume source that is set.
func sourceName(s *corev1.VolumeSource) string {
	name := "an empty volume source"
	fields := s.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if s.ProtoReflect().Has(fields.Get(i)) {
			name = string(fields.Get(i).Name())
		}
	}
	return name
}

func mode(m *int32) int32 {
	if m == nil {
		return defaultMode
	}
	return *m
}

func (m *Manager) configMap(pod *corev1.Pod, name string, items []*corev1.KeyToPath, optional bool, mode int32) (files, error) {
	obj, err := m.objects.ConfigMap(pod.Metadata.Namespace, name)
	if err != nil {
		if optional && m.objects.IsNotFound(err) {
			return files{}, nil
		}
		return nil, err
	}
	all := make(map[string][]byte, len(obj.Data)+len(obj.BinaryData))
	for k, v := range obj.Data {
		all[k] = []byte(v)
	}
	maps.Copy(all, obj.BinaryData)
	return pick(all, items, optional, mode)
}

func (m *Manager) secret(pod *corev1.Pod, name string, items []*corev1.KeyToPath, optional bool, mode int32) (files, error) {
	obj, err := m.objects.Secret(pod.Metadata.Namespace, name)
	if err != nil {
		if optional && m.objects.IsNotFound(err) {
			return files{}, nil
		}
		return nil, err
	}
	return pick(obj.Data, items, optional, mode)
}

// pick selects keys of an object and gives them paths.
func pick(all map[string][]byte, items []*corev1.KeyToPath, optional bool, mode int32) (files, error) {
	out := files{}
	if len(items) == 0 {
		for k, v := range all {
			out[k] = file{v, mode}
		}
		return out, nil
	}
	for _, item := range items {
		content, ok := all[item.Key]
		if !ok {
			if optional {
				continue
			}
			return nil, fmt.Errorf("references non-existent config key: %s", item.Key)
		}
		f := file{content, mode}
		if item.Mode != nil {
			f.mode = *item.Mode
		}
		if err := out.add(item.Path, f); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (f files) add(path string, content file) error {
	if !filepath.IsLocal(path) || strings.HasPrefix(path, "..") {
		return fmt.Errorf("invalid path: must be a relative path below the volume: %q", path)
	}
	f[filepath.Clean(path)] = content
	return nil
}

func (m *Manager) downward(pod *corev1.Pod, items []*corev1.DownwardAPIVolumeFile, mode int32) (files, error) {
	out := files{}
	var errs []error
	for _, item := range items {
		var (
			text string
			err  error
		)
		switch {
		case item.FieldRef != nil:
			text, err = podspec.Field(pod, item.FieldRef.FieldPath)
		case item.ResourceFieldRef != nil:
			text, err = podspec.ResourceField(pod, nil, item.ResourceFieldRef, m.allocatable())
		}
		f := file{[]byte(text), mode}
		if item.Mode != nil {
			f.mode = *item.Mode
		}
		errs = append(errs, err, out.add(item.Path, f))
	}
	return out, errors.Join(errs...)
}

func (m *Manager) projected(ctx context.Context, pod *corev1.Pod, p *corev1.ProjectedVolumeSource) (files, time.Time, error) {
	out, mode := files{}, mode(p.DefaultMode)
	var (
		renew time.Time
		errs  []error
	)
	for _, s := range p.Sources {
		var (
			part files
			err  error
		)
		switch {
		case s.ConfigMap != nil:
			part, err = m.configMap(pod, s.ConfigMap.LocalObjectReference.GetName(), s.ConfigMap.Items, s.ConfigMap.GetOptional(), mode)
		case s.Secret != nil:
			part, err = m.secret(pod, s.Secret.LocalObjectReference.GetName(), s.Secret.Items, s.Secret.GetOptional(), mode)
		case s.DownwardAPI != nil:
			part, err = m.downward(pod, s.DownwardAPI.Items, mode)
		case s.ServiceAccountToken != nil:
			t := s.ServiceAccountToken
			expiration := defaultExpiration
			if t.ExpirationSeconds != nil {
				expiration = time.Duration(*t.ExpirationSeconds) * time.Second
			}
			token, again, tokenErr := m.tokens.Token(ctx, pod, t.Audience, expiration)
			if err = tokenErr; err == nil {
				part = files{}
				err = part.add(t.Path, file{[]byte(token), mode})
			}
			if renew.IsZero() || again.Before(renew) {
				renew = again
			}
		case s.ClusterTrustBundle != nil:
			err = errors.New("clusterTrustBundle is not supported")
		case s.PodCertificate != nil:
			err = errors.New("podCertificate is not supported")
		}
		errs = append(errs, err)
		maps.Copy(out, part)
	}
	return out, renew, errors.Join(errs...)
}
