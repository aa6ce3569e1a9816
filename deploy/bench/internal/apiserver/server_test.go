package apiserver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// script is a program in place of a server that fails.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAServerThatFailsSaysWhy(t *testing.T) {
	parent := t.TempDir()
	_, err := Start(t.Context(), Options{Parent: parent, Binary: script(t, "echo 'the port is taken' >&2; exit 3\n")})
	if err == nil || !strings.Contains(err.Error(), "the port is taken") {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(parent); len(left) > 0 {
		t.Errorf("%s is left behind", left[0].Name())
	}
}

func TestAProgramThatIsMissing(t *testing.T) {
	parent := t.TempDir()
	if _, err := Start(t.Context(), Options{Parent: parent, Binary: filepath.Join(parent, "missing")}); err == nil {
		t.Error("no error")
	}
	if left, _ := os.ReadDir(parent); len(left) > 0 {
		t.Errorf("%s is left behind", left[0].Name())
	}
}
