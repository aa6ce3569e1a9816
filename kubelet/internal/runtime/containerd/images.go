package containerd

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	"github.com/keelson/keelson/kubelet/internal/runtime"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// imageInfo is what an image's own (immutable) documents tell, by the digest of the image.
type imageInfo struct {
	config ocispec.ImageConfig
	// chain is the key of the snapshot of its top layer.
	chain string
	size  int64
}

// imageCache keeps what was read of images. It is emptied when it grows past what a node has of images.
type imageCache struct {
	mu sync.Mutex
	m  map[digest.Digest]imageInfo
}

const imageCacheSize = 1024

// normalise makes an image reference complete, as Docker does: myapp:v1 is docker.io/library/myapp:v1.
func normalise(ref string) (string, error) {
	named, err := reference.ParseDockerRef(ref)
	if err != nil {
		return "", fmt.Errorf("couldn't parse image name %q: %w", ref, runtime.ErrInvalidImageName)
	}
	return named.String(), nil
}

// find looks an image up: by its normalised name, by the name as it stands, by an ID.
func (d *Driver) find(ctx context.Context, ref string) (images.Image, error) {
	if strings.HasPrefix(ref, "sha256:") {
		list, err := d.imageStore().List(ctx, "target.digest=="+ref)
		if err != nil {
			return images.Image{}, translate(err)
		}
		if len(list) == 0 {
			return images.Image{}, fmt.Errorf("image %s: %w", ref, runtime.ErrNotFound)
		}
		return list[0], nil
	}
	name, err := normalise(ref)
	if err != nil {
		return images.Image{}, err
	}
	image, err := d.imageStore().Get(ctx, name)
	if isNotFound(err) && name != ref {
		// Archives may carry names that were never normalised.
		image, err = d.imageStore().Get(ctx, ref)
	}
	return image, translate(err)
}

// inspect reads an image's manifest and configuration, once.
func (d *Driver) inspect(ctx context.Context, image images.Image) (imageInfo, error) {
	d.images.mu.Lock()
	info, ok := d.images.m[image.Target.Digest]
	d.images.mu.Unlock()
	if ok {
		return info, nil
	}
	store := d.client.ContentStore()
	manifest, err := images.Manifest(ctx, store, image.Target, platforms.Default())
	if err != nil {
		return info, fmt.Errorf("reading the manifest of %s: %w", image.Name, translate(err))
	}
	b, err := content.ReadBlob(ctx, store, manifest.Config)
	if err != nil {
		return info, fmt.Errorf("reading the configuration of %s: %w", image.Name, translate(err))
	}
	var config ocispec.Image
	if err := json.Unmarshal(b, &config); err != nil {
		return info, fmt.Errorf("the configuration of %s: %w", image.Name, err)
	}
	info = imageInfo{config: config.Config, chain: identity.ChainID(config.RootFS.DiffIDs).String(), size: manifest.Config.Size}
	for _, layer := range manifest.Layers {
		info.size += layer.Size
	}
	d.images.mu.Lock()
	if d.images.m == nil || len(d.images.m) >= imageCacheSize {
		d.images.m = map[digest.Digest]imageInfo{}
	}
	d.images.m[image.Target.Digest] = info
	d.images.mu.Unlock()
	return info, nil
}

// imageID is how pod status names an image: its repository and its digest.
func imageID(image images.Image) string {
	named, err := reference.ParseDockerRef(image.Name)
	if err != nil {
		return image.Target.Digest.String()
	}
	return named.Name() + "@" + image.Target.Digest.String()
}

// Image implements runtime.Runtime.
func (d *Driver) Image(ctx context.Context, ref string) (runtime.Image, error) {
	ctx = scope(ctx)
	image, err := d.find(ctx, ref)
	if err != nil {
		return runtime.Image{}, err
	}
	info, err := d.inspect(ctx, image)
	if err != nil {
		return runtime.Image{}, err
	}
	return runtime.Image{Name: image.Name, ID: imageID(image), Names: []string{image.Name}, Size: info.size, User: info.config.User}, nil
}

// Images implements runtime.Runtime. Images whose content is incomplete are left out.
func (d *Driver) Images(ctx context.Context) ([]runtime.Image, error) {
	ctx = scope(ctx)
	list, err := d.imageStore().List(ctx)
	if err != nil {
		return nil, translate(err)
	}
	byDigest := map[digest.Digest]*runtime.Image{}
	var order []digest.Digest
	for _, image := range list {
		key := image.Target.Digest
		known, ok := byDigest[key]
		if !ok {
			info, err := d.inspect(ctx, image)
			if err != nil {
				continue
			}
			known = &runtime.Image{Name: image.Name, ID: imageID(image), Size: info.size, User: info.config.User}
			byDigest[key] = known
			order = append(order, key)
		}
		for _, name := range []string{imageID(image), image.Name} {
			if !slices.Contains(known.Names, name) {
				known.Names = append(known.Names, name)
			}
		}
	}
	out := make([]runtime.Image, 0, len(order))
	for _, key := range order {
		out = append(out, *byDigest[key])
	}
	return out, nil
}

// unpack makes the snapshots of an image's layers.
func (d *Driver) unpack(ctx context.Context, image images.Image) error {
	defer d.pulls.lock(image.Target.Digest.String())()
	return client.NewImage(d.client, image).Unpack(ctx, snapshotter)
}
