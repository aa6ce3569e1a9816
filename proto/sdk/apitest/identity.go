package apitest

import (
	"context"

	"github.com/keelson/keelson/proto/pipeline/identity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// A connection says in each call's metadata who it is, and the server believes it: there is no TLS to tell.
const (
	userKey  = "apitest-user"
	groupKey = "apitest-group"
)

func introduce(u *identity.User) []grpc.DialOption {
	pairs := []string{userKey, u.Name}
	for _, g := range u.Groups {
		pairs = append(pairs, groupKey, g)
	}
	return []grpc.DialOption{
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, o ...grpc.CallOption) error {
			return call(metadata.AppendToOutgoingContext(ctx, pairs...), method, req, reply, cc, o...)
		}),
		grpc.WithStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, o ...grpc.CallOption) (grpc.ClientStream, error) {
			return open(metadata.AppendToOutgoingContext(ctx, pairs...), desc, cc, method, o...)
		}),
	}
}

func authenticate() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			return handle(identify(ctx), req)
		}),
		grpc.StreamInterceptor(func(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			return handle(srv, identified{s, identify(s.Context())})
		}),
	}
}

// identified is a stream whose context has a user.
type identified struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s identified) Context() context.Context { return s.ctx }

func identify(ctx context.Context) context.Context {
	md, _ := metadata.FromIncomingContext(ctx)
	u := Admin
	if name := md.Get(userKey); len(name) > 0 {
		u = &identity.User{Name: name[0], Groups: md.Get(groupKey)}
	}
	return identity.NewContext(ctx, u)
}
