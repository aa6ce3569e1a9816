package serviceaccount

import (
	"encoding/json"
	"net/http"

	"github.com/keelson/keelson/proto/apierrors"
)

const (
	configurationPath = "/.well-known/openid-configuration"
	keysPath          = "/openid/v1/jwks"
)

// Documents are the issuer's OpenID configuration and its keys, by path. server is the URL under which the keys are
// fetched.
func (t *Tokens) Documents(server string) map[string]http.Handler {
	configuration, err := json.Marshal(struct {
		Issuer     string   `json:"issuer"`
		KeysURI    string   `json:"jwks_uri"`
		Responses  []string `json:"response_types_supported"`
		Subjects   []string `json:"subject_types_supported"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
	}{t.o.Issuer, server + keysPath, []string{"id_token"}, []string{"public"}, t.verifier.Algorithms()})
	keys, keysErr := t.verifier.KeySet()
	return map[string]http.Handler{
		configurationPath: document("application/json", configuration, err),
		keysPath:          document("application/jwk-set+json", keys, keysErr),
	}
}

// document serves fixed bytes; err, where they could not be made, is answered with 500.
func document(contentType string, body []byte, err error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err != nil {
			http.Error(w, apierrors.NewInternal(err).Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Cache-Control", "public, max-age=3600")
		if r.Method != http.MethodHead {
			_, _ = w.Write(body) // the client may be gone
		}
	})
}
