package jwt

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
)

type jwk struct {
	Use       string `json:"use"`
	KeyType   string `json:"kty"`
	KeyID     string `json:"kid"`
	Curve     string `json:"crv,omitempty"`
	Algorithm string `json:"alg"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
}

// KeySet is the JSON Web Key Set of the verifier's keys, for others to verify tokens with.
func (v *Verifier) KeySet() ([]byte, error) {
	b64 := base64.RawURLEncoding.EncodeToString
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for _, p := range v.keys {
		k := jwk{Use: "sig", KeyID: p.id, Algorithm: p.alg}
		switch key := p.key.(type) {
		case *rsa.PublicKey:
			k.KeyType, k.N, k.E = "RSA", b64(key.N.Bytes()), b64(big.NewInt(int64(key.E)).Bytes())
		case *ecdsa.PublicKey:
			point, err := key.Bytes()
			if err != nil {
				return nil, err
			}
			k.KeyType, k.Curve = "EC", key.Curve.Params().Name
			k.X, k.Y = b64(point[1:1+p.size]), b64(point[1+p.size:])
		}
		set.Keys = append(set.Keys, k)
	}
	return json.Marshal(set)
}

// Algorithms lists the algorithms of the verifier's keys, each once.
func (v *Verifier) Algorithms() []string {
	var algs []string
	for _, p := range v.keys {
		if !slices.Contains(algs, p.alg) {
			algs = append(algs, p.alg)
		}
	}
	return algs
}
