package health_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/keelson/keelson/proto/sdk/health"
)

func TestEndpoints(t *testing.T) {
	var c health.Checks
	synced := make(chan struct{})
	c.Live("loop", func(context.Context) error { return nil })
	c.Ready("synced", health.Closed(synced))
	mux := http.NewServeMux()
	c.Register(mux)
	get := func(url string) (int, string) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
		return w.Code, w.Body.String()
	}
	for _, s := range []struct {
		url, body string
		code      int
	}{
		{"/livez", "ok", 200},
		{"/livez?verbose", "[+]ping ok\n[+]loop ok\nlivez check passed\n", 200},
		{"/readyz", "[+]ping ok\n[+]loop ok\n[-]synced failed: not yet\nreadyz check failed\n", 500},
		{"/healthz", "[+]ping ok\n[+]loop ok\n[-]synced failed: not yet\nhealthz check failed\n", 500},
		{"/readyz?exclude=synced", "ok", 200},
		{"/readyz/loop", "ok", 200},
		{"/readyz/synced", "[-]synced failed: not yet\nreadyz check failed\n", 500},
		{"/readyz/other", "404 page not found\n", 404},
	} {
		if code, body := get(s.url); code != s.code || body != s.body {
			t.Errorf("%s: %d %q", s.url, code, body)
		}
	}
	close(synced)
	if code, body := get("/readyz"); code != 200 || body != "ok" {
		t.Errorf("once synced: %d %q", code, body)
	}
	c.Live("dead", func(context.Context) error { return errors.New("stuck") })
	if code, _ := get("/livez"); code != 500 {
		t.Errorf("with a failed check: %d", code)
	}
}
