package local

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// programs are what the components call or need beside them, and the Debian package that brings each.
var programs = []struct{ program, pkg string }{
	{"containerd", "containerd"},
	{"runc", "runc"},
	{"iptables", "iptables"},
	{"iptables-restore", "iptables"},
	{"conntrack", "conntrack"},
	{"nsenter", "util-linux"},
	{"mount", "mount"},
}

// installMissing installs the programs that the machine lacks, where it has apt; elsewhere it names them.
func (c *Config) installMissing(ctx context.Context) error {
	var missing, packages []string
	for _, p := range programs {
		if _, err := exec.LookPath(p.program); err != nil {
			missing = append(missing, p.program)
			if !slices.Contains(packages, p.pkg) {
				packages = append(packages, p.pkg)
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("this machine lacks %s: install them with its package manager", strings.Join(missing, ", "))
	}
	c.say("installing %s", strings.Join(packages, " "))
	for _, args := range [][]string{
		{"apt-get", "update", "-qq"},
		append([]string{"apt-get", "install", "-y", "-qq", "--no-install-recommends"}, packages...),
	} {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Env = append(cmd.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}
