package local

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sync/errgroup"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/platforms"
)

// Load puts the images of an archive (docker save or OCI layout, tar) on every running node.
func (c *Config) Load(ctx context.Context, archive string) error {
	if _, err := os.Stat(archive); err != nil {
		return fmt.Errorf("image archive: %w", err)
	}
	nodes := c.runningNodes()
	if len(nodes) == 0 {
		return errors.New("no node is running: start the cluster with `make up`")
	}
	var group errgroup.Group
	for _, n := range nodes {
		group.Go(func() error {
			client, err := c.dialContainerd(ctx, n)
			if err != nil {
				return err
			}
			defer client.Close()
			names, err := importArchive(ctx, client, archive)
			if err != nil {
				return fmt.Errorf("load %s on %s: %w", archive, n.Name, err)
			}
			for _, name := range names {
				c.say("  %s: %s", n.Name, name)
			}
			return nil
		})
	}
	return group.Wait()
}

// importArchive imports an archive and unpacks its images, so that the first container does not have to.
func importArchive(ctx context.Context, client *containerd.Client, archive string) ([]string, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	images, err := client.Import(ctx, f, containerd.WithImportPlatform(platforms.Default()))
	if err != nil {
		return nil, err
	}
	if len(images) == 0 {
		return nil, errors.New("the archive names no image: save it with a tag")
	}
	var names []string
	for _, record := range images {
		image := containerd.NewImageWithPlatform(client, record, platforms.Default())
		if err := image.Unpack(ctx, ""); err != nil {
			return nil, fmt.Errorf("unpack %s: %w", record.Name, err)
		}
		names = append(names, record.Name)
	}
	return names, nil
}

// runningNodes are those whose containerd runs.
func (c *Config) runningNodes() []node {
	all := *c
	var out []node
	for _, count := range []int{1, maxNodes} {
		all.Nodes = count
		for _, n := range all.nodes() {
			if _, ok := runningPID(c.pidFile(n.Name, "containerd")); !ok {
				continue
			}
			inNamespace := exists("/run/netns/keelson-" + n.Name)
			if inNamespace == (n.Namespace != "") {
				out = append(out, n)
			}
		}
	}
	return out
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
