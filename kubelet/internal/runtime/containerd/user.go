package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/keelson/keelson/kubelet/internal/runtime"
	"github.com/moby/sys/user"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// accounts are an image's own users and groups.
type accounts struct {
	users  []user.User
	groups []user.Group
}

// userCache keeps the accounts of images by the snapshot they were read from: reading them takes a mount.
type userCache struct {
	mu sync.Mutex
	m  map[string]accounts
}

const userCacheSize = 512

// accounts of the image whose top layer is chain, read through the mounts of a snapshot of it.
func (c *userCache) accounts(ctx context.Context, chain string, mounts []mount.Mount) (accounts, error) {
	c.mu.Lock()
	a, ok := c.m[chain]
	c.mu.Unlock()
	if ok {
		return a, nil
	}
	err := mount.WithReadonlyTempMount(ctx, mounts, func(root string) error {
		// Opened below root, so that no symbolic link of the image leads out of it.
		dir, err := os.OpenRoot(root)
		if err != nil {
			return err
		}
		defer dir.Close()
		if f, err := dir.Open(filepath.Join("etc", "passwd")); err == nil {
			a.users, err = user.ParsePasswd(f)
			_ = f.Close()
			if err != nil {
				return fmt.Errorf("the image's /etc/passwd: %w", err)
			}
		}
		if f, err := dir.Open(filepath.Join("etc", "group")); err == nil {
			a.groups, err = user.ParseGroup(f)
			_ = f.Close()
			if err != nil {
				return fmt.Errorf("the image's /etc/group: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return accounts{}, err
	}
	c.mu.Lock()
	if c.m == nil || len(c.m) >= userCacheSize {
		c.m = map[string]accounts{}
	}
	c.m[chain] = a
	c.mu.Unlock()
	return a, nil
}

// resolve turns the image's user and the pod's wishes into numbers.
func (a accounts) resolve(imageUser string, s *runtime.Security) (specs.User, error) {
	name, group, _ := strings.Cut(imageUser, ":")
	if s.RunAsUser != nil {
		name = strconv.FormatInt(*s.RunAsUser, 10)
		if imageUser != name {
			group = ""
		}
	}
	if name == "" {
		name = "0"
	}
	var out specs.User
	var login string
	if u, ok := a.user(name); ok {
		out.UID, out.GID, login = uint32(u.Uid), uint32(u.Gid), u.Name
	} else if id, err := parseID(name); err == nil {
		out.UID = id
	} else {
		return out, fmt.Errorf("unable to find user %s: no matching entries in passwd file", name)
	}
	switch {
	case s.RunAsGroup != nil:
		out.GID = uint32(*s.RunAsGroup)
	case group != "":
		id, err := a.group(group)
		if err != nil {
			return out, err
		}
		out.GID = id
	}
	if s.NonRoot && out.UID == 0 {
		return out, errors.New("container has runAsNonRoot and image will run as root")
	}
	seen := map[uint32]bool{out.GID: true}
	out.AdditionalGids = []uint32{out.GID}
	add := func(id uint32) {
		if !seen[id] {
			seen[id] = true
			out.AdditionalGids = append(out.AdditionalGids, id)
		}
	}
	if !s.StrictGroups && login != "" {
		for _, g := range a.groups {
			for _, member := range g.List {
				if member == login {
					add(uint32(g.Gid))
				}
			}
		}
	}
	for _, id := range s.SupplementalGroups {
		add(uint32(id))
	}
	return out, nil
}

func (a accounts) user(name string) (user.User, bool) {
	id, err := parseID(name)
	for _, u := range a.users {
		if u.Name == name || err == nil && uint32(u.Uid) == id {
			return u, true
		}
	}
	return user.User{}, false
}

func (a accounts) group(name string) (uint32, error) {
	id, err := parseID(name)
	for _, g := range a.groups {
		if g.Name == name {
			return uint32(g.Gid), nil
		}
	}
	if err != nil {
		return 0, fmt.Errorf("unable to find group %s: no matching entries in group file", name)
	}
	return id, nil
}

func parseID(s string) (uint32, error) {
	id, err := strconv.ParseUint(s, 10, 31)
	return uint32(id), err
}
