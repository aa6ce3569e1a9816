package aggregate

import (
	"bytes"
	"context"
	"encoding/pem"
	"strings"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	rbacv1 "github.com/keelson/keelson/proto/gen/keelson/rbac/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline"
)

// Where other servers read whom to trust, and the role that lets them.
const (
	authenticationNamespace = "kube-system"
	authenticationName      = "extension-apiserver-authentication"
	authenticationReader    = "extension-apiserver-authentication-reader"
)

// Authentication is what other servers need to authenticate this one's clients.
type Authentication struct {
	// ClientCA verifies client certificates, FrontProxyCA that of this server; both PEM.
	ClientCA, FrontProxyCA []byte
	// FrontProxyName is the name in this server's certificate.
	FrontProxyName string
}

// keepAuthentication writes the ConfigMap by which other servers learn whom to trust, and the role to read it.
func (a *Aggregator) keepAuthentication(ctx context.Context, s *pipeline.Server) {
	if len(a.cfg.Authentication.FrontProxyCA) == 0 {
		return
	}
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		err := a.writeAuthentication(ctx, s)
		if err == nil || ctx.Err() != nil {
			return
		}
		a.cfg.Logger.Debug("the trust that extension servers need cannot be written yet", zap.Error(err))
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

func (a *Aggregator) writeAuthentication(ctx context.Context, s *pipeline.Server) error {
	meta := &metav1.ObjectMeta{Namespace: authenticationNamespace, Name: authenticationReader, Annotations: map[string]string{"rbac.authorization.kubernetes.io/autoupdate": "true"},
		Labels: map[string]string{"kubernetes.io/bootstrapping": "rbac-defaults"}}
	const rbac = "rbac.authorization.k8s.io"
	if err := create(ctx, s, rbac, "roles", &rbacv1.Role{Metadata: meta, Rules: []*rbacv1.PolicyRule{{Verbs: []string{"get", "list", "watch"},
		ApiGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{authenticationName}}}}); err != nil {
		return err
	}
	binding := proto.Clone(meta).(*metav1.ObjectMeta)
	binding.Name = "system::" + authenticationReader
	if err := create(ctx, s, rbac, "rolebindings", &rbacv1.RoleBinding{Metadata: binding,
		RoleRef: &rbacv1.RoleRef{ApiGroup: rbac, Kind: "Role", Name: authenticationReader},
		Subjects: []*rbacv1.Subject{{Kind: "User", ApiGroup: rbac, Name: "system:kube-controller-manager"},
			{Kind: "User", ApiGroup: rbac, Name: "system:kube-scheduler"}}}); err != nil {
		return err
	}
	return a.writeConfigMap(ctx, s)
}

// data is the ConfigMap's, on top of what is there: several servers may have authorities of their own.
func (a *Aggregator) data(have map[string]string) map[string]string {
	x := a.cfg.Authentication
	return map[string]string{
		"client-ca-file":                     merge(have["client-ca-file"], x.ClientCA),
		"requestheader-client-ca-file":       merge(have["requestheader-client-ca-file"], x.FrontProxyCA),
		"requestheader-allowed-names":        `["` + x.FrontProxyName + `"]`,
		"requestheader-username-headers":     `["` + headerUser + `"]`,
		"requestheader-uid-headers":          `["` + headerUID + `"]`,
		"requestheader-group-headers":        `["` + headerGroup + `"]`,
		"requestheader-extra-headers-prefix": `["` + headerExtra + `"]`,
	}
}

// merge adds certificates to a bundle.
func merge(bundle string, add []byte) string {
	for rest := add; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return bundle
		}
		text := string(bytes.TrimSpace(pem.EncodeToMemory(block)))
		if strings.Contains(bundle, text) {
			continue
		}
		bundle += text + "\n"
	}
}

func (a *Aggregator) writeConfigMap(ctx context.Context, s *pipeline.Server) error {
	ref := &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Version: "v1", Plural: "configmaps"}, Namespace: authenticationNamespace, Name: authenticationName}
	it, err := s.Get(ctx, &resourcev1.GetRequest{Ref: ref})
	if apierrors.IsNotFound(err) {
		return create(ctx, s, "", "configmaps", &corev1.ConfigMap{Metadata: &metav1.ObjectMeta{Namespace: authenticationNamespace, Name: authenticationName}, Data: a.data(nil)})
	}
	if err != nil {
		return err
	}
	m := &corev1.ConfigMap{}
	if err := it.Unmarshal(m); err != nil {
		return err
	}
	changed := false
	for k, v := range a.data(m.GetData()) {
		if m.Data[k] == v {
			continue
		}
		if m.Data == nil {
			m.Data = map[string]string{}
		}
		m.Data[k], changed = v, true
	}
	if !changed {
		return nil
	}
	raw, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	_, err = s.Update(ctx, &resourcev1.UpdateRequest{Ref: ref, Object: &resourcev1.Object{Raw: raw, Encoding: resourcev1.Encoding_ENCODING_PROTOBUF},
		Options: &resourcev1.WriteOptions{FieldManager: manager}})
	return err
}

// create creates an object unless it is there.
func create(ctx context.Context, s *pipeline.Server, group, plural string, o interface {
	proto.Message
	GetMetadata() *metav1.ObjectMeta
}) error {
	raw, err := proto.Marshal(o)
	if err != nil {
		return err
	}
	_, err = s.Create(ctx, &resourcev1.CreateRequest{
		Ref: &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Group: group, Version: "v1", Plural: plural},
			Namespace: o.GetMetadata().GetNamespace(), Name: o.GetMetadata().GetName()},
		Object:  &resourcev1.Object{Raw: raw, Encoding: resourcev1.Encoding_ENCODING_PROTOBUF},
		Options: &resourcev1.WriteOptions{FieldManager: manager}})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
