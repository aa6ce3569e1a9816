package memory

import (
	"testing"

	"github.com/keelson/keelson/proto/pipeline/store"
	"github.com/keelson/keelson/proto/pipeline/store/suite"
)

func TestSuite(t *testing.T) {
	suite.Run(t, func(t *testing.T) store.Store {
		s := New()
		t.Cleanup(func() { s.Close() })
		return s
	})
}

func TestHistoryIsBounded(t *testing.T) {
	s := New()
	defer s.Close()
	rev, err := s.Create(t.Context(), "/a", nil, 0)
	for i := 0; i < maxHistory+10 && err == nil; i++ {
		rev, _, err = s.Update(t.Context(), "/a", nil, rev, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(s.log) > maxHistory || s.compacted == 0 {
		t.Fatalf("%d events kept, compacted at %d", len(s.log), s.compacted)
	}
}
