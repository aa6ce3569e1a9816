package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/keelson/keelson/apiserver/internal/pki"
)

// issueFlags are the flags of `keelson-apiserver issue`.
type issueFlags struct {
	dataDir, node, user, out, server string
	ips, groups                      []string
	expiry                           time.Duration
}

// newIssueCommand signs certificates with the authority of a data directory. It works beside a running server and
// without one: it reads the authority and writes only below --out.
func newIssueCommand() *cobra.Command {
	var f issueFlags
	cmd := &cobra.Command{
		Use:   "issue --data-dir DIR (--node NAME [--ip IP] | --user NAME [--group GROUP]) --out DIR",
		Short: "Sign the certificates of a node or of a user",
		Long: `Signs with the certificate authority in the data directory.

For a node it writes ca.crt, kubelet.{crt,key} (user system:node:NAME, group system:nodes) and proxy.{crt,key}
(user system:kube-proxy). For a user it writes ca.crt, NAME.{crt,key} and NAME.kubeconfig. Keys that are already in
the output directory are kept and certified anew.`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(*cobra.Command, []string) error { return issue(f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.dataDir, "data-dir", "", "data directory of the API server")
	flags.StringVar(&f.node, "node", "", "name of the node")
	flags.StringSliceVar(&f.ips, "ip", nil, "address of the node (repeatable)")
	flags.StringVar(&f.user, "user", "", "name of the user")
	flags.StringSliceVar(&f.groups, "group", nil, "group of the user (repeatable)")
	flags.StringVar(&f.out, "out", "", "directory to write to")
	flags.StringVar(&f.server, "server", "", "server of the user's kubeconfig (default: the one of admin.kubeconfig)")
	flags.DurationVar(&f.expiry, "expiry", 365*24*time.Hour, "how long the certificates are valid")
	return cmd
}

func issue(f issueFlags) error {
	switch {
	case f.dataDir == "":
		return errors.New("--data-dir is required")
	case f.out == "":
		return errors.New("--out is required")
	case (f.node == "") == (f.user == ""):
		return errors.New("exactly one of --node and --user is required")
	case f.expiry <= 0:
		return errors.New("--expiry must be positive")
	}
	ca, err := pki.OpenCA(f.dataDir)
	if err != nil {
		return err
	}
	if f.user != "" {
		if f.server == "" {
			f.server = adminServer(f.dataDir)
		}
		return ca.IssueUser(f.user, f.groups, f.server, f.out, f.expiry)
	}
	var ips []net.IP
	for _, s := range f.ips {
		ip := net.ParseIP(s)
		if ip == nil {
			return fmt.Errorf("--ip: %q is not an IP address", s)
		}
		ips = append(ips, ip)
	}
	return ca.IssueNode(f.node, ips, f.out, f.expiry)
}

var serverLine = regexp.MustCompile(`(?m)^\s*server:\s*(\S+)\s*$`)

// adminServer is the server that admin.kubeconfig names; empty where there is no such file.
func adminServer(dataDir string) string {
	data, err := os.ReadFile(filepath.Join(dataDir, "admin.kubeconfig"))
	if err != nil {
		return ""
	}
	if m := serverLine.FindSubmatch(data); m != nil {
		return string(m[1])
	}
	return ""
}
