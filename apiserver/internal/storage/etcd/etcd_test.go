package etcd

import (
	"errors"
	"testing"

	"go.uber.org/zap/zaptest"

	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/store/suite"
)

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{DataDir: dir, NoSync: true, Logger: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestSuite(t *testing.T) {
	suite.Run(t, func(t *testing.T) store.Store { return open(t, t.TempDir()) })
}

func TestSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	rev, err := s.Create(t.Context(), "/a", []byte("1"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	kv, err := open(t, dir).Get(t.Context(), "/a")
	if err != nil || kv.Revision != rev || string(kv.Value) != "1" {
		t.Fatalf("%+v, %v", kv, err)
	}
}

func TestCompactionTakesTurns(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	rev, err := s.Create(ctx, "/a", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Two API servers, each remembering what it has seen.
	v1, r1, err := s.compactOnce(ctx, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	v2, _, err := s.compactOnce(ctx, 0, 0)
	if err != nil || v2 != v1 {
		t.Fatalf("the second server did not learn of the first's turn: version %d, want %d, %v", v2, v1, err)
	}
	if _, _, err = s.compactOnce(ctx, v1, r1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.List(ctx, store.Range{Revision: rev}); !errors.Is(err, store.ErrCompacted) {
		t.Fatalf("history before the first turn is still there: %v", err)
	}
	v3, _, err := s.compactOnce(ctx, v2, r1)
	if err != nil || v3 == v2 {
		t.Fatalf("version %d after %d, %v", v3, v2, err)
	}
}

func TestLargeValue(t *testing.T) {
	s := open(t, t.TempDir())
	if _, err := s.Create(t.Context(), "/fits", make([]byte, 3<<20), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), "/big", make([]byte, maxRequestBytes+1), 0); !errors.Is(err, store.ErrTooLarge) {
		t.Fatal(err)
	}
}
