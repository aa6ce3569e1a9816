package pipeline

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	discoveryv1 "github.com/keelson/keelson/proto/gen/keelson/discovery/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/strategy"
)

// The Service default/kubernetes leads to the servers that say, by a key with a time to live, that they are there.
const (
	servers        = "/registry/masterleases/"
	serverTTL      = 15 * time.Second
	advertiseEvery = 5 * time.Second
	advertiseRest  = 10 * time.Second // bounds one round
	kubernetesName = "kubernetes"
	kubernetesPort = 443
)

// advertise keeps the Service default/kubernetes and its endpoints pointing to the servers that are there.
func (s *Server) advertise() {
	tick := time.NewTicker(advertiseEvery)
	defer tick.Stop()
	for {
		ctx, cancel := context.WithTimeout(s.ctx, advertiseRest)
		if err := s.advertiseOnce(ctx); err != nil && s.ctx.Err() == nil {
			s.log.Warn("the Service default/kubernetes cannot be kept", zap.Error(err))
		}
		cancel()
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			s.leave()
			return
		}
	}
}

func (s *Server) advertiseOnce(ctx context.Context) error {
	if err := s.sayHere(ctx); err != nil {
		return err
	}
	if err := s.kubernetesService(ctx); err != nil {
		return err
	}
	res, err := s.cfg.Store.List(ctx, store.Range{Prefix: servers})
	if err != nil {
		return err
	}
	var addresses []string
	for _, kv := range res.KVs {
		addresses = append(addresses, strings.TrimPrefix(kv.Key, servers))
	}
	return s.kubernetesEndpoints(ctx, addresses)
}

// sayHere renews this server's key.
func (s *Server) sayHere(ctx context.Context) error {
	key := servers + s.cfg.Advertise.Addr().String()
	kv, err := s.cfg.Store.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		_, err = s.cfg.Store.Create(ctx, key, nil, serverTTL)
		return err
	} else if err != nil {
		return err
	}
	_, _, err = s.cfg.Store.Update(ctx, key, nil, kv.Revision, serverTTL)
	return err
}

// leave takes this server out of the endpoints when it ends in order.
func (s *Server) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	key := servers + s.cfg.Advertise.Addr().String()
	if kv, err := s.cfg.Store.Get(ctx, key); err == nil {
		_, _, _ = s.cfg.Store.Delete(ctx, key, kv.Revision) // it would expire by itself
	}
}

func (s *Server) kubernetesService(ctx context.Context) error {
	if _, ok := (access{s}).Lookup("", "services", "default", kubernetesName); ok {
		return nil
	}
	return s.ensure(ctx, "", "services", &corev1.Service{
		Metadata: &metav1.ObjectMeta{Name: kubernetesName, Namespace: "default", Labels: map[string]string{"component": "apiserver", "provider": "kubernetes"}},
		Spec: &corev1.ServiceSpec{
			Type: "ClusterIP", ClusterIP: s.kinds.First().String(), SessionAffinity: "None",
			Ports: []*corev1.ServicePort{{
				Name: "https", Protocol: "TCP", Port: kubernetesPort, TargetPort: &metav1.IntOrString{IntVal: int32(s.cfg.Advertise.Port())},
			}},
		},
	})
}

func (s *Server) kubernetesEndpoints(ctx context.Context, addresses []string) error {
	slices.Sort(addresses)
	port := int32(s.cfg.Advertise.Port())
	endpoints := &corev1.Endpoints{
		Metadata: &metav1.ObjectMeta{Name: kubernetesName, Namespace: "default", Labels: map[string]string{"endpointslice.kubernetes.io/skip-mirror": "true"}},
	}
	slice := &discoveryv1.EndpointSlice{
		Metadata:    &metav1.ObjectMeta{Name: kubernetesName, Namespace: "default", Labels: map[string]string{"kubernetes.io/service-name": kubernetesName}},
		AddressType: "IPv4",
		Ports:       []*discoveryv1.EndpointPort{{Name: proto.String("https"), Port: &port, Protocol: proto.String("TCP")}},
	}
	if s.cfg.Advertise.Addr().Is6() {
		slice.AddressType = "IPv6"
	}
	subset := &corev1.EndpointSubset{Ports: []*corev1.EndpointPort{{Name: "https", Port: port, Protocol: "TCP"}}}
	for _, a := range addresses {
		if _, err := netip.ParseAddr(a); err != nil {
			continue
		}
		subset.Addresses = append(subset.Addresses, &corev1.EndpointAddress{Ip: a})
		slice.Endpoints = append(slice.Endpoints, &discoveryv1.Endpoint{Addresses: []string{a}, Conditions: &discoveryv1.EndpointConditions{Ready: proto.Bool(true)}})
	}
	if len(subset.Addresses) > 0 {
		endpoints.Subsets = []*corev1.EndpointSubset{subset}
	}
	if err := s.keep(ctx, "", "endpoints", endpoints, func(obj Object) { obj.(*corev1.Endpoints).Subsets = endpoints.Subsets }); err != nil {
		return err
	}
	return s.keep(ctx, "discovery.k8s.io", "endpointslices", slice, func(obj Object) {
		e := obj.(*discoveryv1.EndpointSlice)
		e.Endpoints, e.Ports = slice.Endpoints, slice.Ports
	})
}

// keep creates an object, or sets what belongs to the server in the one that is there.
func (s *Server) keep(ctx context.Context, group, resource string, obj Object, set func(Object)) error {
	if k, ok := s.cfg.Registry.ByResource(group, "", resource); !ok || !k.Served {
		return nil
	}
	meta := obj.GetMetadata()
	t := strategy.Target{Group: group, Resource: resource, Namespace: meta.Namespace, Name: meta.Name, Checked: true, Manager: serverManager}
	_, err := access{s}.Change(ctx, t, func(o Object) error { set(o); return nil })
	if apierrors.IsNotFound(err) {
		return s.ensure(ctx, group, resource, obj)
	}
	return err
}
