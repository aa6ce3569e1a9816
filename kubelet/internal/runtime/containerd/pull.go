package containerd

import (
	"context"
	"fmt"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/core/remotes/docker/config"
	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// PullImage implements runtime.Runtime. Pulls of one image are serialised, so that the pods of a Deployment that come
// at once fetch it once.
func (d *Driver) PullImage(ctx context.Context, ref string, auth []runtime.Credential) (runtime.Image, error) {
	ctx = scope(ctx)
	name, err := normalise(ref)
	if err != nil {
		return runtime.Image{}, err
	}
	unlock := d.pulls.lock(name)
	defer unlock()
	var errs []error
	for _, credential := range append(auth, runtime.Credential{}) {
		image, err := d.client.Pull(ctx, name,
			client.WithPullUnpack,
			client.WithPullSnapshotter(snapshotter),
			client.WithResolver(d.resolver(ctx, credential)),
		)
		if err == nil {
			return d.Image(ctx, image.Name())
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	// The first error tells most: that of the credentials that were meant for the registry.
	return runtime.Image{}, fmt.Errorf("failed to pull and unpack image %q: %w", name, errs[0])
}

func (d *Driver) resolver(ctx context.Context, credential runtime.Credential) remotes.Resolver {
	options := config.HostOptions{
		Credentials: func(string) (string, string, error) {
			if credential.IdentityToken != "" {
				return "", credential.IdentityToken, nil
			}
			return credential.Username, credential.Password, nil
		},
	}
	if d.cfg.RegistryConfigDir != "" {
		options.HostDir = config.HostDirFromRoot(d.cfg.RegistryConfigDir)
	}
	return docker.NewResolver(docker.ResolverOptions{Hosts: config.ConfigureHosts(ctx, options)})
}
