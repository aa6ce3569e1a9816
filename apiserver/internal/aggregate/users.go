package aggregate

import (
	"net/http"
	"strings"

	"github.com/keelson/keelson/proto/pipeline/identity"
)

// Headers in which the other server is told who asks; only who shows the front proxy's certificate is believed.
const (
	headerUser  = "X-Remote-User"
	headerUID   = "X-Remote-Uid"
	headerGroup = "X-Remote-Group"
	headerExtra = "X-Remote-Extra-"
)

// aggregatorUser is as whom the aggregator asks on its own account.
var aggregatorUser = &identity.User{Name: "system:kube-aggregator", Groups: []string{identity.GroupMasters}}

// setUser says who asks.
func setUser(h http.Header, u *identity.User) {
	forget(h)
	h.Set(headerUser, u.Name)
	if u.UID != "" {
		h.Set(headerUID, u.UID)
	}
	h[headerGroup] = append([]string(nil), u.Groups...)
	for k, values := range u.Extra {
		h[http.CanonicalHeaderKey(headerExtra+escape(k))] = append([]string(nil), values...)
	}
}

// forget takes out what the client says about users, and its credentials: they are this server's business alone.
func forget(h http.Header) {
	for k := range h {
		if strings.HasPrefix(k, "X-Remote-") || strings.HasPrefix(k, "Impersonate-") {
			delete(h, k)
		}
	}
	delete(h, "Authorization")
}

// escape writes what cannot stand in a header's name as percent and two digits.
func escape(key string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(key) {
		c := key[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$&'*+-.^_`|~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}
