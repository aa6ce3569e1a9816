package storage

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap/zaptest"

	"github.com/keelson/keelson/apiserver/internal/storage/etcd"
	"github.com/keelson/keelson/proto/pipeline/store/encrypt"
)

func TestSecretsAreEncryptedAtRest(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{
		Etcd:    etcd.Config{DataDir: filepath.Join(dir, "etcd"), NoSync: true, Logger: zaptest.NewLogger(t)},
		KeyFile: filepath.Join(dir, "pki", "encryption.key"),
	}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	const at = "/registry/secrets/default/s"
	if _, err := s.Create(t.Context(), at, []byte("password"), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(cfg.KeyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file: %v, %v", info, err)
	}
	inner, err := etcd.Open(t.Context(), cfg.Etcd)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := inner.Get(t.Context(), at)
	if err != nil || !encrypt.Is(kv.Value) || bytes.Contains(kv.Value, []byte("password")) {
		t.Fatalf("stored as %q, %v", kv.Value, err)
	}
	if err := inner.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if kv, err := s.Get(t.Context(), at); err != nil || string(kv.Value) != "password" {
		t.Fatalf("read again as %q, %v", kv.Value, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(cfg.KeyFile); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), cfg); err == nil {
		t.Error("opened without the key")
		_ = s.Close()
	}
}
