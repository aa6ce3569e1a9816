package embed

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/keelson/keelson/kubelet/internal/cgroups"
	"github.com/keelson/keelson/kubelet/internal/logs"
	"github.com/keelson/keelson/kubelet/internal/network"
	"github.com/keelson/keelson/kubelet/internal/runtime/containerd"
	"github.com/keelson/keelson/kubelet/internal/sandbox"
	"github.com/keelson/keelson/kubelet/internal/volumes"
)

// cleanupTime bounds the removal of one pod.
const cleanupTime = 30 * time.Second

// cleanupParallelism is how many containers are removed at the same time.
const cleanupParallelism = 16

// Cleanup takes everything of this node's pods off the machine: containers, mounts, namespaces, links, cgroups, rules.
// The API is not asked. It goes on after errors and tells all of them. Pods' logs stay.
func Cleanup(ctx context.Context, cfg Config) error {
	net, err := network.New(network.Config{Bridge: cfg.Bridge}, cfg.Logger)
	if err != nil {
		return err
	}
	var errs []error
	errs = append(errs, cleanContainers(ctx, cfg, net))
	boxes, err := sandbox.NewManager(filepath.Join(cfg.RootDir, "run", "pods"), nil)
	if err != nil {
		return err
	}
	refs, err := boxes.List()
	errs = append(errs, err)
	for _, ref := range refs {
		errs = append(errs, net.Detach(ctx, ref.UID), boxes.Remove(ref.UID))
	}
	volumeManager := volumes.NewManager(filepath.Join(cfg.RootDir, "pods"), nil, nil, nil)
	uids, err := volumeManager.Pods()
	errs = append(errs, err)
	for _, uid := range uids {
		errs = append(errs, volumeManager.Teardown(uid))
	}
	if groups, err := cgroups.New(cfg.CgroupRoot); err != nil {
		errs = append(errs, err)
	} else {
		errs = append(errs, groups.RemoveAll())
	}
	return errors.Join(append(errs, network.Cleanup(cfg.Bridge))...)
}

// cleanContainers removes the containers, where containerd answers.
func cleanContainers(ctx context.Context, cfg Config, net *network.Network) error {
	driver, err := containerd.New(containerd.Config{
		Address: cfg.Containerd, Node: cfg.NodeName, StateDir: filepath.Join(cfg.RootDir, "run"),
		LogLimits: logs.DefaultLimits, Network: net, Logger: cfg.Logger,
	})
	if err != nil {
		return err
	}
	defer func() { _ = driver.Close() }()
	bounded, cancel := context.WithTimeout(ctx, cleanupTime)
	defer cancel()
	list, err := driver.List(bounded)
	if err != nil {
		return fmt.Errorf("listing containers: %w", err)
	}
	errs := make([]error, len(list))
	var group errgroup.Group
	group.SetLimit(cleanupParallelism)
	for i, c := range list {
		group.Go(func() error {
			one, cancel := context.WithTimeout(ctx, cleanupTime)
			defer cancel()
			errs[i] = driver.Remove(one, c.ID)
			return nil
		})
	}
	_ = group.Wait()
	return errors.Join(errs...)
}
