package pipeline

import (
	"context"
	"strings"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/pipeline/identity"
)

// maySign asks the authorizer for a right that is about a signer's name: signers are resources that nobody stores.
func (s *Server) maySign(ctx context.Context, user *identity.User, verb, signer string) (bool, error) {
	if s.cfg.Authorizer == nil {
		return true, nil
	}
	domain, _, _ := strings.Cut(signer, "/")
	for _, name := range []string{signer, domain + "/*"} {
		decision, _, err := s.cfg.Authorizer.Authorize(ctx, Attributes{
			User: user, Verb: verb, Group: "certificates.k8s.io", Version: "*", Resource: "signers", Name: name,
		})
		switch {
		case err != nil:
			return false, apierrors.NewInternal(err)
		case decision == Allow:
			return true, nil
		}
	}
	return false, nil
}
