// Package storage opens what the API server keeps objects in: etcd (package etcd), with secrets encrypted at rest.
package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/keelson/keelson/apiserver/internal/storage/etcd"
	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/store/encrypt"
)

// secrets is where Secrets are stored; what is below is encrypted.
const secrets = "/registry/secrets/"

// keyName is written with each encrypted value; a second key would get another name.
const keyName = "key1"

// Config says where the store is.
type Config struct {
	Etcd etcd.Config
	// KeyFile holds the key that encrypts Secrets, in base64. It is made where it does not exist; API servers on one
	// etcd cluster need the same. Losing it loses the Secrets.
	KeyFile string
}

// Open opens the store. The context bounds that; the store lives until Close.
func Open(ctx context.Context, cfg Config) (store.Store, error) {
	inner, err := etcd.Open(ctx, cfg.Etcd)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, cfg, inner)
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	return s, nil
}

func open(ctx context.Context, cfg Config, inner store.Store) (store.Store, error) {
	key, err := readKey(cfg.KeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		if err := nothingEncrypted(ctx, cfg, inner); err != nil {
			return nil, err
		}
		key, err = makeKey(cfg.KeyFile)
	}
	if err != nil {
		return nil, err
	}
	return encrypt.Wrap(inner, []string{secrets}, encrypt.Key{Name: keyName, Bytes: key})
}

func readKey(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("encryption key: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(key) != encrypt.KeyBytes {
		return nil, fmt.Errorf("encryption key: %s does not hold %d bytes in base64", file, encrypt.KeyBytes)
	}
	return key, nil
}

// nothingEncrypted refuses to go on with a new key where another one has been in use.
func nothingEncrypted(ctx context.Context, cfg Config, s store.Store) error {
	res, err := s.List(ctx, store.Range{Prefix: secrets})
	if err != nil {
		return err
	}
	for _, kv := range res.KVs {
		if encrypt.Is(kv.Value) {
			return fmt.Errorf("encryption key: %s does not exist, but the store holds Secrets encrypted with it; put the file back", cfg.KeyFile)
		}
	}
	return nil
}

// makeKey writes a new key, whole or not at all, and returns the one that is there if another process was faster.
func makeKey(file string) ([]byte, error) {
	key := make([]byte, encrypt.KeyBytes)
	rand.Read(key) // never fails
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("encryption key: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".encryption-key-*")
	if err != nil {
		return nil, fmt.Errorf("encryption key: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return nil, fmt.Errorf("encryption key: %w", err)
	}
	if err := os.Link(tmp.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("encryption key: %w", err)
	}
	return readKey(file)
}
