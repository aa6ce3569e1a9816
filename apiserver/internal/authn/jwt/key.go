package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	_ "crypto/sha512" // registers SHA-384 and SHA-512 for the larger curves
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
)

// publicKey verifies one algorithm.
type publicKey struct {
	id   string
	alg  string
	hash crypto.Hash
	key  crypto.PublicKey
	size int // of one number of an ECDSA signature; 0 for RSA
}

func newPublicKey(key crypto.PublicKey) (*publicKey, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	p := &publicKey{id: base64.RawURLEncoding.EncodeToString(sum[:]), key: key}
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return nil, fmt.Errorf("RSA key of %d bits: at least 2048 are required", k.N.BitLen())
		}
		p.alg, p.hash = "RS256", crypto.SHA256
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			p.alg, p.hash, p.size = "ES256", crypto.SHA256, 32
		case elliptic.P384():
			p.alg, p.hash, p.size = "ES384", crypto.SHA384, 48
		case elliptic.P521():
			p.alg, p.hash, p.size = "ES512", crypto.SHA512, 66
		default:
			return nil, fmt.Errorf("ECDSA curve %s is not supported", k.Curve.Params().Name)
		}
	default:
		return nil, fmt.Errorf("key of type %T is not supported: RSA or ECDSA is required", key)
	}
	return p, nil
}

func (p *publicKey) digest(signed string) []byte {
	h := p.hash.New()
	h.Write([]byte(signed))
	return h.Sum(nil)
}

var errSignature = errors.New("signature is not valid")

func (p *publicKey) verify(signed string, signature []byte) error {
	digest := p.digest(signed)
	switch k := p.key.(type) {
	case *rsa.PublicKey:
		if rsa.VerifyPKCS1v15(k, p.hash, digest, signature) != nil {
			return errSignature
		}
	case *ecdsa.PublicKey:
		if len(signature) != 2*p.size {
			return errSignature
		}
		r := new(big.Int).SetBytes(signature[:p.size])
		s := new(big.Int).SetBytes(signature[p.size:])
		if !ecdsa.Verify(k, digest, r, s) {
			return errSignature
		}
	}
	return nil
}

// sign returns the signature in the form that JSON Web Signatures have.
func (p *publicKey) sign(key crypto.Signer, signed string) ([]byte, error) {
	signature, err := key.Sign(rand.Reader, p.digest(signed), p.hash)
	if err != nil || p.size == 0 {
		return signature, err
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &pair); err != nil {
		return nil, err
	}
	out := make([]byte, 2*p.size)
	pair.R.FillBytes(out[:p.size])
	pair.S.FillBytes(out[p.size:])
	return out, nil
}
