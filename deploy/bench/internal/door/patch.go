package door

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/keelson/keelson/deploy/bench/internal/pods"
	"github.com/keelson/keelson/proto/sdk/client"
)

func patch(mark time.Time) []byte {
	return fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, pods.MarkKey, pods.Value(mark))
}

// Patch implements Patcher.
func (d *REST) Patch(ctx context.Context, namespace, name string, mark time.Time) error {
	return d.send(ctx, http.MethodPatch, d.url(namespace, name, ""), "application/strategic-merge-patch+json", patch(mark), io.Discard)
}

// Patch implements Patcher.
func (d *GRPC) Patch(ctx context.Context, namespace, name string, mark time.Time) error {
	_, err := d.pods.Patch(ctx, namespace, name, client.StrategicMergePatch, patch(mark))
	return err
}
