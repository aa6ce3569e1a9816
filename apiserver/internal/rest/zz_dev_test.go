package rest

import (
	"context"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/keelson/keelson/proto/pipeline"
	"github.com/keelson/keelson/proto/pipeline/identity"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/apiserver/internal/rest/apidocs"
	"github.com/keelson/keelson/proto/schema/openapi"
)

type devAdmin struct{}

func (devAdmin) AuthenticateRequest(r *http.Request) (*identity.User, error) {
	return &identity.User{Name: "admin", Groups: []string{identity.GroupMasters}}, nil
}

func TestDevServe(t *testing.T) {
	if os.Getenv("KEELSON_DEV") == "" {
		t.Skip()
	}
	log, _ := zap.NewDevelopment()
	p, err := pipeline.New(pipeline.Config{Registry: schema.Builtin(), Store: memory.New(), Authorizer: adminOnly{}, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Registry: schema.Builtin(), Pipeline: p, Authenticator: devAdmin{}, Authorizer: adminOnly{}, Logger: log,
		Documents: apidocs.New(openapi.New(schema.Builtin(), "v1.37.0")).Paths(), Version: Version{Major: "1", Minor: "37", GitVersion: "v1.37.0+keelson"}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:18080")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: s}
	go srv.Serve(l)
	time.Sleep(time.Hour)
}
