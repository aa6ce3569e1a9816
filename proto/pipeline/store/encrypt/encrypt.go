// Package encrypt keeps the values of chosen keys encrypted at rest: a store.Store around another, AES-256-GCM, with
// the key's name authenticated so that no value can be moved to another key. Values carry Kubernetes' prefix
// "k8s:enc:aesgcm:v1:<key name>:".
package encrypt

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/keelson/keelson/proto/pipeline/store"
)

// KeyBytes is the length of a key: AES-256.
const KeyBytes = 32

const prefix = "k8s:enc:aesgcm:v1:"

// Key is one named key. The name is stored with each value, so that keys can be changed one after another.
type Key struct {
	Name  string
	Bytes []byte
}

// Store encrypts what it writes and decrypts what it reads; values that are not encrypted are read as they are.
type Store struct {
	store.Store
	prefixes []string
	current  string
	ciphers  map[string]cipher.AEAD
}

// Wrap returns a store that encrypts the values of all keys with one of the prefixes. The first key writes, all read.
func Wrap(inner store.Store, prefixes []string, keys ...Key) (*Store, error) {
	if len(keys) == 0 {
		return nil, fmt.Errorf("encrypt: no key")
	}
	s := &Store{Store: inner, prefixes: prefixes, current: keys[0].Name, ciphers: map[string]cipher.AEAD{}}
	for _, k := range keys {
		if k.Name == "" || strings.Contains(k.Name, ":") || len(k.Bytes) != KeyBytes {
			return nil, fmt.Errorf("encrypt: key %q: want a name without colon and %d bytes, got %d", k.Name, KeyBytes, len(k.Bytes))
		}
		block, err := aes.NewCipher(k.Bytes)
		if err != nil {
			return nil, fmt.Errorf("encrypt: key %q: %w", k.Name, err)
		}
		if s.ciphers[k.Name], err = cipher.NewGCM(block); err != nil {
			return nil, fmt.Errorf("encrypt: key %q: %w", k.Name, err)
		}
	}
	return s, nil
}

func (s *Store) covers(key string) bool {
	for _, p := range s.prefixes {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return false
}

func (s *Store) seal(key string, value []byte) ([]byte, error) {
	if !s.covers(key) {
		return value, nil
	}
	aead := s.ciphers[s.current]
	out := make([]byte, 0, len(prefix)+len(s.current)+1+aead.NonceSize()+len(value)+aead.Overhead())
	out = append(append(append(out, prefix...), s.current...), ':')
	nonce := out[len(out) : len(out)+aead.NonceSize()]
	if _, err := io.ReadFull(rand.Reader, nonce); err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	out = out[:len(out)+len(nonce)]
	return aead.Seal(out, nonce, value, []byte(key)), nil
}

// open decrypts a value. One that cannot be decrypted is an error of its own key, never of those read with it.
func (s *Store) open(kv *store.KV) {
	rest, ok := bytes.CutPrefix(kv.Value, []byte(prefix))
	if !ok {
		return
	}
	kv.Value, kv.Err = s.decrypt(kv.Key, rest)
}

func (s *Store) decrypt(key string, sealed []byte) ([]byte, error) {
	name, rest, ok := bytes.Cut(sealed, []byte(":"))
	aead := s.ciphers[string(name)]
	if !ok || aead == nil {
		return nil, fmt.Errorf("encrypt: %s is encrypted with key %q, which is not known", key, name)
	}
	if len(rest) < aead.NonceSize() {
		return nil, fmt.Errorf("encrypt: %s is cut short", key)
	}
	plain, err := aead.Open(nil, rest[:aead.NonceSize()], rest[aead.NonceSize():], []byte(key))
	if err != nil {
		return nil, fmt.Errorf("encrypt: %s cannot be decrypted: %w", key, err)
	}
	return plain, nil
}

// Get implements store.Store.
func (s *Store) Get(ctx context.Context, key string) (store.KV, error) {
	kv, err := s.Store.Get(ctx, key)
	s.open(&kv)
	return kv, err
}

// List implements store.Store.
func (s *Store) List(ctx context.Context, r store.Range) (store.RangeResult, error) {
	res, err := s.Store.List(ctx, r)
	for i := range res.KVs {
		s.open(&res.KVs[i])
	}
	return res, err
}

// Create implements store.Store.
func (s *Store) Create(ctx context.Context, key string, value []byte, ttl time.Duration) (int64, error) {
	sealed, err := s.seal(key, value)
	if err != nil {
		return 0, err
	}
	return s.Store.Create(ctx, key, sealed, ttl)
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, key string, value []byte, expected int64, ttl time.Duration) (int64, store.KV, error) {
	sealed, err := s.seal(key, value)
	if err != nil {
		return 0, store.KV{}, err
	}
	rev, cur, err := s.Store.Update(ctx, key, sealed, expected, ttl)
	s.open(&cur)
	return rev, cur, err
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string, expected int64) (int64, store.KV, error) {
	rev, cur, err := s.Store.Delete(ctx, key, expected)
	s.open(&cur)
	return rev, cur, err
}

// Watch implements store.Store.
func (s *Store) Watch(ctx context.Context, prefix string, from int64) (store.Watcher, error) {
	w, err := s.Store.Watch(ctx, prefix, from)
	if err != nil {
		return nil, err
	}
	return &watcher{Watcher: w, s: s}, nil
}

type watcher struct {
	store.Watcher
	s *Store
}

// Next implements store.Watcher.
func (w *watcher) Next(ctx context.Context) (store.Batch, error) {
	b, err := w.Watcher.Next(ctx)
	if err != nil {
		return b, err
	}
	copied := false
	for i := range b.Events {
		if !Is(b.Events[i].KV.Value) {
			continue
		}
		if !copied {
			// The batch may be shared with other watchers of the inner store.
			b.Events, copied = append([]store.Event(nil), b.Events...), true
		}
		w.s.open(&b.Events[i].KV)
	}
	return b, nil
}

// Is tells whether a value is encrypted.
func Is(value []byte) bool { return bytes.HasPrefix(value, []byte(prefix)) }
