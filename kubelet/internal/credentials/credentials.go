// Package credentials finds out how to log in at the registry of an image, from the pull secrets of a pod.
package credentials

import (
	"encoding/base64"
	"encoding/json"
	"net"
	"path"
	"slices"
	"strings"

	"github.com/distribution/reference"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"

	"github.com/keelson/keelson/kubelet/internal/runtime"
)

// entry of a Docker configuration.
type entry struct {
	Username      string `json:"username"`
	Password      string `json:"password"`
	Auth          string `json:"auth"`
	IdentityToken string `json:"identitytoken"`
}

// For returns the credentials of the secrets that fit the image, those for the longest path first. Secrets that can't
// be read are passed over: others may fit.
func For(image string, secrets []*corev1.Secret) []runtime.Credential {
	named, err := reference.ParseDockerRef(image)
	if err != nil {
		return nil
	}
	type match struct {
		length int
		runtime.Credential
	}
	var found []match
	for _, s := range secrets {
		for server, e := range entries(s) {
			pattern := normalise(server)
			if !fits(pattern, named.Name()) {
				continue
			}
			found = append(found, match{len(pattern), e.credential()})
		}
	}
	slices.SortStableFunc(found, func(a, b match) int { return b.length - a.length })
	out := make([]runtime.Credential, 0, len(found))
	for _, m := range found {
		out = append(out, m.Credential)
	}
	return out
}

func entries(s *corev1.Secret) map[string]entry {
	switch s.Type {
	case "kubernetes.io/dockerconfigjson":
		var config struct {
			Auths map[string]entry `json:"auths"`
		}
		if json.Unmarshal(s.Data[".dockerconfigjson"], &config) == nil {
			return config.Auths
		}
	case "kubernetes.io/dockercfg":
		var auths map[string]entry
		if json.Unmarshal(s.Data[".dockercfg"], &auths) == nil {
			return auths
		}
	}
	return nil
}

func (e entry) credential() runtime.Credential {
	c := runtime.Credential{Username: e.Username, Password: e.Password, IdentityToken: e.IdentityToken}
	if c.Username == "" && e.Auth != "" {
		if b, err := base64.StdEncoding.DecodeString(e.Auth); err == nil {
			c.Username, c.Password, _ = strings.Cut(string(b), ":")
		}
	}
	return c
}

// normalise drops scheme and version from a server's name: https://index.docker.io/v1/ is docker.io.
func normalise(server string) string {
	server = strings.TrimPrefix(strings.TrimPrefix(server, "https://"), "http://")
	server = strings.TrimSuffix(server, "/")
	for _, suffix := range []string{"/v1", "/v2"} {
		server = strings.TrimSuffix(server, suffix)
	}
	if server == "index.docker.io" || server == "registry-1.docker.io" {
		return "docker.io"
	}
	return server
}

// fits tells whether a registry pattern (host with * in its labels, optional path) covers a repository.
func fits(pattern, repository string) bool {
	wantHost, wantPath, _ := strings.Cut(pattern, "/")
	host, rest, _ := strings.Cut(repository, "/")
	if wantPath != "" && rest != wantPath && !strings.HasPrefix(rest, wantPath+"/") {
		return false
	}
	wantName, wantPort := split(wantHost)
	name, port := split(host)
	if wantPort != port {
		return false
	}
	want, have := strings.Split(wantName, "."), strings.Split(name, ".")
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if ok, err := path.Match(want[i], have[i]); err != nil || !ok {
			return false
		}
	}
	return true
}

func split(host string) (string, string) {
	if h, p, err := net.SplitHostPort(host); err == nil {
		return h, p
	}
	return host, ""
}
