package embed

import (
	"github.com/keelson/keelson/apiserver/internal/aggregate"
	"github.com/keelson/keelson/apiserver/internal/pki"
	"github.com/keelson/keelson/proto/schema"
)

// newAggregator knows the servers that add to the API. It reaches none before the REST door stands.
func (s *server) newAggregator(r *schema.Registry) *aggregate.Aggregator {
	return aggregate.New(aggregate.Config{Registry: r, Certificate: s.authority.FrontProxy, Logger: s.log.Named("aggregate"),
		Authentication: aggregate.Authentication{ClientCA: s.authority.CA.Bundle, FrontProxyCA: s.authority.FrontProxyCA(),
			FrontProxyName: pki.FrontProxyName}})
}
