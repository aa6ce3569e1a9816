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
	if kv, err := s.Get(t.Context(), "/registry/secrets/ns/y"); err != nil || kv.Err == nil || len(kv.Value) > 0 {
		t.Fatalf("moved value read as %q, %v, %v", kv.Value, kv.Err, err)
	}
	// It does not keep the others from being read.
	list, err := s.List(t.Context(), store.Range{Prefix: "/registry/secrets/"})
	if err != nil || len(list.KVs) != 2 || string(list.KVs[0].Value) != "password" || list.KVs[1].Err == nil {
		t.Fatalf("list: %v, %v", list, err)
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
	if kv, err := wrap(t, inner, key("b", 2)).Get(t.Context(), "/x"); err != nil || kv.Err == nil {
		t.Fatal("read without the key")
	}
}
