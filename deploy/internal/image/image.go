// Package image builds container images on the spot, without a registry or a builder: a static binary and a few files
// become a one-layer image in an archive that `docker load`, `ctr images import` and `make load` read.
package image

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"sort"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Spec describes an image.
type Spec struct {
	// Tag is its name: "shop-web:v1".
	Tag string
	// Entrypoint and Cmd as in a Dockerfile.
	Entrypoint, Cmd []string
	// Env entries are "NAME=value".
	Env []string
	// Files maps absolute paths in the image to files of this machine; they become executable.
	Files map[string]string
	// Symlinks maps absolute paths in the image to their targets.
	Symlinks map[string]string
	// Text maps absolute paths in the image to contents.
	Text map[string]string
}

// Write builds the image and writes it as an archive in docker's layout.
func Write(archive string, specs ...Spec) error {
	images := map[name.Tag]v1.Image{}
	for _, s := range specs {
		tag, err := name.NewTag(s.Tag)
		if err != nil {
			return fmt.Errorf("image name %q: %w", s.Tag, err)
		}
		img, err := Build(s)
		if err != nil {
			return fmt.Errorf("build %s: %w", s.Tag, err)
		}
		images[tag] = img
	}
	// Written beside and renamed, so that a reader never sees half an archive.
	temp := archive + ".tmp"
	if err := tarball.MultiWriteToFile(temp, images); err != nil {
		return err
	}
	return os.Rename(temp, archive)
}

// Build makes the image.
func Build(s Spec) (v1.Image, error) {
	content, err := layer(s)
	if err != nil {
		return nil, err
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, l)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", architecture
	config.Config.Entrypoint, config.Config.Cmd, config.Config.Env = s.Entrypoint, s.Cmd, s.Env
	if len(s.Env) == 0 {
		config.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	}
	return mutate.ConfigFile(img, config)
}

// layer writes the files in a fixed order and without times, so that the same files give the same image.
func layer(s Spec) ([]byte, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	seen := map[string]bool{"/": true}
	var folder func(string) error
	folder = func(dir string) error {
		if seen[dir] {
			return nil
		}
		seen[dir] = true
		if err := folder(path.Dir(dir)); err != nil {
			return err
		}
		mode := int64(0o755)
		if dir == "/tmp" {
			mode = 0o1777
		}
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimPrefix(dir, "/") + "/", Mode: mode})
	}
	add := func(target string, h tar.Header, content []byte) error {
		if err := folder(path.Dir(target)); err != nil {
			return err
		}
		h.Name, h.Size = strings.TrimPrefix(target, "/"), int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			return err
		}
		_, err := w.Write(content)
		return err
	}
	if err := folder("/tmp"); err != nil {
		return nil, err
	}
	for _, target := range sorted(s.Files) {
		content, err := os.ReadFile(s.Files[target])
		if err != nil {
			return nil, err
		}
		if err := add(target, tar.Header{Typeflag: tar.TypeReg, Mode: 0o755}, content); err != nil {
			return nil, err
		}
	}
	for _, target := range sorted(s.Text) {
		if err := add(target, tar.Header{Typeflag: tar.TypeReg, Mode: 0o644}, []byte(s.Text[target])); err != nil {
			return nil, err
		}
	}
	for _, target := range sorted(s.Symlinks) {
		if err := add(target, tar.Header{Typeflag: tar.TypeSymlink, Mode: 0o777, Linkname: s.Symlinks[target]}, nil); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func sorted(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
