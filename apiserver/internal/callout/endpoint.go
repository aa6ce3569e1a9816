package callout

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Endpoint says where a program is: by a URL, or as a Service.
type Endpoint struct {
	URL     string
	Service *Service
	// CABundle are the PEM certificates that sign the program's; empty is the system's.
	CABundle []byte
}

// Service names a port of a Service. A port of 0 is 443.
type Service struct {
	Namespace, Name, Path string
	Port                  int32
}

func (s *Service) port() int32 {
	if s.Port == 0 {
		return 443
	}
	return s.Port
}

// host is the name by which the program's certificate must know it.
func (s *Service) host() string { return s.Name + "." + s.Namespace + ".svc" }

// address is the URL to post to. The timeout tells the program how long the caller waits.
func (e Endpoint) address(timeout time.Duration) (string, error) {
	var u *url.URL
	if e.Service != nil {
		u = &url.URL{Scheme: "https", Host: net.JoinHostPort(e.Service.host(), strconv.Itoa(int(e.Service.port()))), Path: e.Service.Path}
		if u.Path == "" {
			u.Path = "/"
		}
	} else {
		var err error
		if u, err = url.Parse(e.URL); err != nil {
			return "", err
		}
	}
	if timeout > 0 {
		q := u.Query()
		// Whole seconds, never too few.
		q.Set("timeout", ((timeout + time.Second - 1) / time.Second * time.Second).String())
		u.RawQuery = q.Encode()
	}
	return u.String(), nil
}

// key is what endpoints that share connections have in common.
func (e Endpoint) key() string {
	sum := sha256.Sum256(e.CABundle)
	where := e.URL
	if e.Service != nil {
		where = strings.Join([]string{e.Service.Namespace, e.Service.Name, strconv.Itoa(int(e.Service.port()))}, "/")
	} else if u, err := url.Parse(e.URL); err == nil {
		where = u.Host
	}
	return where + "#" + hex.EncodeToString(sum[:])
}
