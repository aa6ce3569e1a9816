package local

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

func (c *Config) argv(component string, args ...string) []string {
	return append(append([]string{c.binary(component)}, args...), c.ComponentFlags[component]...)
}

func (c *Config) startAPIServer(etcd EtcdClient) error {
	args := []string{
		"--data-dir", c.dataDir(),
		"--advertise-address", hostAddress.Addr().String(),
		"--service-cluster-ip-range", serviceCIDR,
	}
	if etcd.Endpoints != "" {
		args = append(args, "--etcd-endpoints", etcd.Endpoints)
	}
	for _, f := range []struct{ flag, value string }{{"--etcd-ca", etcd.CA}, {"--etcd-cert", etcd.Cert}, {"--etcd-key", etcd.Key}} {
		if f.value != "" {
			args = append(args, f.flag, f.value)
		}
	}
	_, err := c.ensure(command{component: "apiserver", argv: c.argv("apiserver", args...)})
	return err
}

// waitReady waits until the API server says that it is ready, and copies the administrator's kubeconfig to where
// people look for it.
func (c *Config) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	caFile := filepath.Join(c.dataDir(), "pki", "ca.crt")
	last := fmt.Errorf("%s does not exist", caFile)
	var client *http.Client
	err := until(ctx, 20*time.Millisecond, func() bool {
		if dead := c.firstDead(); dead != nil {
			last = dead
			cancel()
			return false
		}
		if client == nil {
			ca, err := os.ReadFile(caFile)
			if err != nil {
				return false
			}
			pool := x509.NewCertPool()
			pool.AppendCertsFromPEM(ca)
			client = &http.Client{
				Timeout:   5 * time.Second,
				Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
			}
		}
		resp, err := client.Get(fmt.Sprintf("https://127.0.0.1:%d/readyz", restPort))
		if err != nil {
			last = err
			return false
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		if resp.StatusCode != http.StatusOK {
			last = fmt.Errorf("/readyz: %s: %s", resp.Status, body)
		}
		return resp.StatusCode == http.StatusOK
	})
	if err != nil {
		return fmt.Errorf("the API server is not ready: %w (log: %s)", last, c.logFile("", "apiserver"))
	}
	kubeconfig, err := os.ReadFile(filepath.Join(c.dataDir(), "admin.kubeconfig"))
	if err != nil {
		return err
	}
	return os.WriteFile(c.Kubeconfig(), kubeconfig, 0o600)
}

// connection flags of a component that runs on the given side of the bridge.
func (c *Config) connection(ca, cert string) []string {
	return []string{
		"--server", fmt.Sprintf("%s:%d", hostAddress.Addr(), grpcPort),
		"--tls-ca", ca, "--tls-cert", cert + ".crt", "--tls-key", cert + ".key",
	}
}

func (c *Config) startControlPlane() error {
	pki := filepath.Join(c.dataDir(), "pki")
	for component, extra := range map[string][]string{
		"scheduler":          nil,
		"controller-manager": {"--cluster-cidr", clusterCIDR},
	} {
		args := append(c.connection(filepath.Join(pki, "ca.crt"), filepath.Join(pki, component)), extra...)
		// There is one of each here: none has to wait for the lease of one that was killed.
		args = append(args, "--leader-elect=false")
		if _, err := c.ensure(command{component: component, argv: c.argv(component, args...)}); err != nil {
			return err
		}
	}
	return nil
}

// issue writes a node's certificates, once.
func (c *Config) issue(ctx context.Context, n node) (string, error) {
	dir := filepath.Join(c.nodeDir(n), "pki")
	if exists(filepath.Join(dir, "proxy.key")) {
		return dir, nil
	}
	cmd := exec.CommandContext(ctx, c.binary("apiserver"), "issue", "--data-dir", c.dataDir(),
		"--node", n.Name, "--ip", n.Address.String(), "--out", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("issue certificates for %s: %w\n%s", n.Name, err, out)
	}
	return dir, nil
}

func (c *Config) startNodeComponents(n node, pki string) error {
	kubelet := append(c.connection(filepath.Join(pki, "ca.crt"), filepath.Join(pki, "kubelet")),
		append(c.kubeletFlags(n), "--cluster-dns", dnsAddress)...)
	if _, err := c.ensure(command{scope: n.Name, component: "kubelet", namespace: n.Namespace, argv: c.argv("kubelet", kubelet...)}); err != nil {
		return err
	}
	proxy := append(c.connection(filepath.Join(pki, "ca.crt"), filepath.Join(pki, "proxy")),
		append(c.proxyFlags(n), "--cluster-cidr", clusterCIDR)...)
	_, err := c.ensure(command{scope: n.Name, component: "proxy", namespace: n.Namespace, argv: c.argv("proxy", proxy...)})
	return err
}

// kubeletFlags are those that both a running kubelet and one that cleans up need.
func (c *Config) kubeletFlags(n node) []string {
	return []string{
		"--node-name", n.Name, "--node-ip", n.Address.String(),
		"--containerd", containerdSocket(n),
		"--root-dir", filepath.Join(c.nodeDir(n), "kubelet"),
		"--pod-log-dir", filepath.Join(c.Dir, "logs", n.Name, "pods"),
		"--cgroup-root", "/keelson/" + n.Name,
		"--cluster-cidr", clusterCIDR,
	}
}

func (c *Config) proxyFlags(n node) []string {
	return []string{"--node-name", n.Name, "--dns-address", dnsAddress}
}
