package encrypt

import (
	"bytes"
	"strings"
	"testing"

	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/store/memory"
	"github.com/keelson/keelson/proto/pipeline/store/suite"
)

func key(name string, b byte) Key { return Key{name, bytes.Repeat([]byte{b}, KeyBytes)} }

func wrap(t *testing.T, inner store.Store, keys ...Key) *Store {
	t.Helper()
	s, err := Wrap(inner, []string{"/"}, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSuite(t *testing.T) {
	suite.Run(t, func(t *testing.T) store.Store {
		inner := memory.New()
		t.Cleanup(func() { inner.Close() })
		return wrap(t, inner, key("a", 1))
	})
}

func TestAtRest(t *testing.T) {
	inner := memory.New()
	defer inner.Close()
	s, err := Wrap(inner, []string{"/registry/secrets/"}, key("a", 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"/registry/secrets/ns/x", "/registry/configmaps/ns/x"} {
		if _, err := s.Create(t.Context(), k, []byte("password"), 0); err != nil {
			t.Fatal(err)
		}
	}
	kv, _ := inner.Get(t.Context(), "/registry/secrets/ns/x")
	if !strings.HasPrefix(string(kv.Value), "k8s:enc:aesgcm:v1:a:") || bytes.Contains(kv.Value, []byte("password")) {
		t.Fatalf("stored as %q", kv.Value)
	}
	if kv, _ := inner.Get(t.Context(), "/registry/configmaps/ns/x"); string(kv.Value) != "password" {
		t.Fatalf("stored as %q", kv.Value)
	}
	// A value does not decrypt under another key's name.
	if _, err := inner.Create(t.Context(), "/registry/secrets/ns/y", kv.Value, 0); err != nil {
		t.Fatal(err)
	}
	if kv, err := s.Get(t.Context(), "/registry/secrets/ns/y"); err == nil {
		t.Fatalf("moved value read as %q", kv.Value)
	}
}

func TestKeysChange(t *testing.T) {
	inner := memory.New()
	defer inner.Close()
	if _, err := wrap(t, inner, key("a", 1)).Create(t.Context(), "/x", []byte("v"), 0); err != nil {
		t.Fatal(err)
	}
	if kv, err := wrap(t, inner, key("b", 2), key("a", 1)).Get(t.Context(), "/x"); err != nil || string(kv.Value) != "v" {
		t.Fatalf("%q, %v", kv.Value, err)
	}
	if _, err := wrap(t, inner, key("b", 2)).Get(t.Context(), "/x"); err == nil {
		t.Fatal("read without the key")
	}
}
