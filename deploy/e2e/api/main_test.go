package api

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// patience bounds every wait; only a failing server makes it pass.
const patience = 30 * time.Second

// program returns the path of a program that was built before.
func program(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("KEELSON_BIN")
	if dir == "" {
		dir = "../../../bin"
	}
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run `make build bin/etcd` first", err)
	}
	return path
}

// seconds is how long a random test makes changes.
func seconds(t testing.TB, standard int) time.Duration {
	if s := os.Getenv("KEELSON_TEST_SECONDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("KEELSON_TEST_SECONDS: %v", err)
		}
		standard = n
	}
	return time.Duration(standard) * time.Second
}

// seed returns the number that a run's random decisions follow from.
func seed(t testing.TB) uint64 {
	t.Helper()
	n := rand.Uint64()
	if s := os.Getenv("KEELSON_TEST_SEED"); s != "" {
		var err error
		if n, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("KEELSON_TEST_SEED: %v", err)
		}
	}
	t.Logf("KEELSON_TEST_SEED=%d", n)
	return n
}

// outputs is where a failed run leaves what it has seen.
func outputs(t testing.TB) string {
	dir := os.Getenv("KEELSON_TEST_OUT")
	if dir == "" {
		dir = os.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// eventually waits for a condition that can only be looked at from outside.
func eventually(ctx context.Context, what string, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("not in time: %s", what)
		case <-tick.C:
		}
	}
	return nil
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
