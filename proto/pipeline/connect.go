package pipeline

import (
	"context"

	"google.golang.org/protobuf/proto"

	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
	"github.com/keelson/keelson/proto/pipeline/admission"
)

// AdmitConnect asks the admission plugins about a connection to a subresource (exec, attach, portforward, proxy), with
// the options that it is asked for. The doors call it once the request is authorized, before they connect.
func (s *Server) AdmitConnect(ctx context.Context, ref *resourcev1.ObjectRef, options proto.Message) (warnings []string, err error) {
	res, err := s.resolve(ref.GetResource())
	if err != nil {
		return nil, err
	}
	r := &request{s: s, res: res, user: userOf(ctx), namespace: ref.GetNamespace(), name: ref.GetName(), sub: ref.GetSubresource()}
	a := r.admission(admission.Connect, nil, nil)
	a.Body, a.Options = options, nil
	if options != nil {
		a.ObjectKind = s.kindOf(options)
	}
	if err := r.admit(ctx, a); err != nil {
		return nil, err
	}
	return r.warnings, r.validateAdmission(ctx, a)
}
