package local

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"

	"github.com/keelson/keelson/deploy/internal/apply"
	"github.com/keelson/keelson/deploy/internal/image"
	"github.com/keelson/keelson/proto/sdk/client"
)

// exampleHost is the name by which pods and, through the node's DNS, the machine reach the example.
const exampleHost = "web.shop.svc.cluster.local"

// runExample builds the images of the example shop, puts them on the nodes, applies its manifest and waits until its
// page comes by Service address and by DNS name.
func (c *Config) runExample(ctx context.Context, conn *client.Conn) error {
	c.say("running the example of deploy/examples/shop")
	archive := filepath.Join(c.Dir, "images", "shop.tar")
	if err := os.MkdirAll(filepath.Dir(archive), 0o755); err != nil {
		return err
	}
	var specs []image.Spec
	for _, tier := range []string{"web", "backend", "store"} {
		specs = append(specs, image.Spec{
			Tag: "shop-" + tier + ":v1", Entrypoint: []string{"/" + tier},
			Files: map[string]string{"/" + tier: filepath.Join(c.Bin, "examples", "shop-"+tier)},
		})
	}
	if err := image.Write(archive, specs...); err != nil {
		return fmt.Errorf("the example's images: %w", err)
	}
	quiet := *c
	quiet.Out = io.Discard
	if err := quiet.Load(ctx, archive); err != nil {
		return err
	}
	manifest, err := os.ReadFile(filepath.Join(c.Examples, "shop", "shop.yaml"))
	if err != nil {
		return err
	}
	objects, err := apply.Parse(manifest)
	if err != nil {
		return fmt.Errorf("shop.yaml: %w", err)
	}
	if err := apply.Apply(ctx, conn.Waist(), "keelson-local", objects); err != nil {
		return err
	}
	service, err := client.For[*corev1.Service](conn).Get(ctx, "shop", "web")
	if err != nil {
		return err
	}
	address := service.GetSpec().GetClusterIP()
	for _, url := range []string{"http://" + address + "/", "http://" + exampleHost + "/"} {
		body, err := c.fetch(ctx, url)
		if err != nil {
			return fmt.Errorf("the example does not answer on %s: %w (`kubectl -n shop get pods` shows its pods)", url, err)
		}
		c.say("  %-38s answers %q", url, heading(body))
	}
	return nil
}

// fetch asks for a page from the first node, again and again until it comes.
func (c *Config) fetch(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	var body string
	var last error
	n := c.node(1)
	get := Get
	if n.Namespace != "" {
		get = func(ctx context.Context, url string) (string, error) { return c.getInside(ctx, n, url) }
	}
	err := until(ctx, 100*time.Millisecond, func() bool {
		body, last = get(ctx, url)
		return last == nil
	})
	if err != nil {
		return "", last
	}
	return body, nil
}

// getInside fetches from a node's network namespace, by this program's own `get` command.
func (c *Config) getInside(ctx context.Context, n node, url string) (string, error) {
	out, err := exec.CommandContext(ctx, "nsenter", "--net=/run/netns/"+n.Namespace, "--", c.binary("local"), "get", url).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s", strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// Get fetches a URL whose host is resolved by the cluster's DNS.
func Get(ctx context.Context, url string) (string, error) {
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(dnsAddress, "53"))
	}}
	dialer := &net.Dialer{Resolver: resolver, Timeout: time.Second}
	h := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := h.Do(request)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(body)))
	}
	return string(body), nil
}

// heading is the text of a page's first heading.
func heading(page string) string {
	_, after, _ := strings.Cut(page, "<h1>")
	text, _, _ := strings.Cut(after, "</h1>")
	return text
}
