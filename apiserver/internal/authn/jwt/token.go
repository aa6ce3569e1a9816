package jwt

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// MaxLength is the longest token that is looked at: room for many audiences, none for an attack on memory.
const MaxLength = 16 << 10

// Audience is a list that JSON may hold as a single string.
type Audience []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *Audience) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = Audience{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}

// Ref names an object that a token is bound to.
type Ref struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// Kubernetes are the private claims of a service account's token.
type Kubernetes struct {
	Namespace      string `json:"namespace,omitempty"`
	Node           *Ref   `json:"node,omitempty"`
	Pod            *Ref   `json:"pod,omitempty"`
	Secret         *Ref   `json:"secret,omitempty"`
	ServiceAccount Ref    `json:"serviceaccount"`
}

// Claims are what a token says. Times are seconds since 1970.
type Claims struct {
	Audience   Audience    `json:"aud,omitempty"`
	Expiry     int64       `json:"exp,omitempty"`
	IssuedAt   int64       `json:"iat,omitempty"`
	Issuer     string      `json:"iss,omitempty"`
	ID         string      `json:"jti,omitempty"`
	Kubernetes *Kubernetes `json:"kubernetes.io,omitempty"`
	NotBefore  int64       `json:"nbf,omitempty"`
	Subject    string      `json:"sub,omitempty"`
}

type header struct {
	Algorithm string          `json:"alg"`
	KeyID     string          `json:"kid,omitempty"`
	Critical  json.RawMessage `json:"crit,omitempty"`
}

// Signer signs tokens with one key.
type Signer struct {
	key    crypto.Signer
	public *publicKey
	head   string
}

// NewSigner takes an RSA or ECDSA key.
func NewSigner(key crypto.Signer) (*Signer, error) {
	public, err := newPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	head, err := json.Marshal(header{Algorithm: public.alg, KeyID: public.id})
	if err != nil {
		return nil, err
	}
	return &Signer{key: key, public: public, head: base64.RawURLEncoding.EncodeToString(head)}, nil
}

// Sign returns the token in compact form.
func (s *Signer) Sign(c *Claims) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	signed := s.head + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature, err := s.public.sign(s.key, signed)
	if err != nil {
		return "", err
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// Verifier checks tokens against a set of keys.
type Verifier struct{ keys []*publicKey }

// NewVerifier takes the public keys whose tokens are good.
func NewVerifier(keys []crypto.PublicKey) (*Verifier, error) {
	v := &Verifier{}
	for _, k := range keys {
		p, err := newPublicKey(k)
		if err != nil {
			return nil, err
		}
		v.keys = append(v.keys, p)
	}
	return v, nil
}

// Errors of Peek and Verify.
var (
	ErrMalformed  = errors.New("token is malformed")
	ErrUnknownKey = errors.New("token is signed by an unknown key")
)

// split takes a token apart without decoding it.
func split(token string) (head, payload, signature string, err error) {
	if len(token) > MaxLength {
		return "", "", "", fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxLength)
	}
	head, rest, ok := strings.Cut(token, ".")
	if ok {
		payload, signature, ok = strings.Cut(rest, ".")
	}
	if !ok || head == "" || payload == "" || signature == "" || strings.Contains(signature, ".") {
		return "", "", "", fmt.Errorf("%w: three parts are required", ErrMalformed)
	}
	return head, payload, signature, nil
}

var encoding = base64.RawURLEncoding.Strict()

func decode(part string, into any) error {
	data, err := encoding.DecodeString(part)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

// Issuer returns who a token claims to be from, unverified: good for choosing who is to verify it, for nothing else.
func Issuer(token string) (string, error) {
	_, payload, _, err := split(token)
	if err != nil {
		return "", err
	}
	var c struct {
		Issuer string `json:"iss"`
	}
	return c.Issuer, decode(payload, &c)
}

// Verify returns the claims of a token with a good signature. Whether they hold (time, audience, bound objects) is for
// the caller to see.
func (v *Verifier) Verify(token string) (*Claims, error) {
	head, payload, signature64, err := split(token)
	if err != nil {
		return nil, err
	}
	var h header
	if err := decode(head, &h); err != nil {
		return nil, err
	}
	if h.Critical != nil {
		return nil, fmt.Errorf("%w: critical header parameters are not supported", ErrMalformed)
	}
	signature, err := encoding.DecodeString(signature64)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	err = ErrUnknownKey
	for _, k := range v.keys {
		if k.alg != h.Algorithm || h.KeyID != "" && h.KeyID != k.id {
			continue
		}
		if err = k.verify(token[:len(head)+1+len(payload)], signature); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	c := &Claims{}
	if err := decode(payload, c); err != nil {
		return nil, err
	}
	return c, nil
}
