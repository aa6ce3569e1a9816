package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
)

// dialTimeout bounds how long a connection to a pod may take to stand.
const dialTimeout = 20 * time.Second

// dial connects to a port of a pod's own address, or of the node's. The first frame, which is empty, tells that the
// connection stands.
func dial(ctx context.Context, cfg Config, o *tunnelv1.DialOptions, in *input, out io.Writer) error {
	host := cfg.Address
	if c := o.GetContainer(); c.GetPodName() != "" || c.GetPodUid() != "" {
		view, err := cfg.Pods.Find(c.GetPodNamespace(), c.GetPodName(), c.GetPodUid())
		if err != nil {
			return err
		}
		if len(view.Addresses) == 0 {
			return &badRequest{fmt.Sprintf("pod %q has no address yet", c.GetPodName())}
		}
		host = view.Addresses[0].String()
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(int(o.Port))))
	if err != nil {
		return err
	}
	if err := stands(out); err != nil {
		_ = conn.Close()
		return err
	}
	return join(ctx, conn, in, out)
}

// stands tells the other side that the connection is there.
func stands(out io.Writer) error {
	o, ok := out.(*output)
	if !ok {
		return nil
	}
	return o.s.send(&tunnelv1.SessionRequest{Frame: &tunnelv1.SessionRequest_Data{Data: &tunnelv1.Data{Channel: o.channel}}})
}

// nodeAPI connects to the kubelet's own handlers.
func nodeAPI(ctx context.Context, cfg Config, in *input, out io.Writer) error {
	if cfg.NodeAPI == nil {
		return errors.New("this kubelet has no handlers of its own")
	}
	if err := stands(out); err != nil {
		return err
	}
	near, far := net.Pipe()
	var served sync.WaitGroup
	var failure error
	served.Go(func() {
		failure = cfg.NodeAPI(ctx, far)
		_ = far.Close()
	})
	err := join(ctx, near, in, out)
	served.Wait()
	return errors.Join(failure, err)
}
