package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustECDSA(t testing.TB, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustRSA(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func claims() *Claims {
	return &Claims{
		Issuer: "https://issuer", Subject: "system:serviceaccount:a:b", Audience: Audience{"x", "y"}, ID: "1",
		Expiry: 200, IssuedAt: 100, NotBefore: 100,
		Kubernetes: &Kubernetes{Namespace: "a", ServiceAccount: Ref{"b", "uid"}, Pod: &Ref{"p", "poduid"}},
	}
}

func pair(t testing.TB, key crypto.Signer) (*Signer, *Verifier) {
	t.Helper()
	s, err := NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier([]crypto.PublicKey{key.Public()})
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func TestRoundTrip(t *testing.T) {
	keys := map[string]crypto.Signer{
		"ES256": mustECDSA(t, elliptic.P256()), "ES384": mustECDSA(t, elliptic.P384()), "ES512": mustECDSA(t, elliptic.P521()),
		"RS256": mustRSA(t),
	}
	for alg, key := range keys {
		t.Run(alg, func(t *testing.T) {
			s, v := pair(t, key)
			token, err := s.Sign(claims())
			if err != nil {
				t.Fatal(err)
			}
			got, err := v.Verify(token)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(claims(), got); diff != "" {
				t.Error(diff)
			}
			if issuer, err := Issuer(token); err != nil || issuer != "https://issuer" {
				t.Errorf("issuer %q, %v", issuer, err)
			}
			set, err := v.KeySet()
			if err != nil || !strings.Contains(string(set), `"alg":"`+alg+`"`) {
				t.Errorf("key set %s, %v", set, err)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	key := mustECDSA(t, elliptic.P256())
	s, v := pair(t, key)
	good, err := s.Sign(claims())
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	b64 := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	other, _ := pair(t, mustECDSA(t, elliptic.P256()))
	foreign, err := other.Sign(claims())
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, token string
		want        error
	}{
		{"empty", "", ErrMalformed},
		{"two parts", parts[0] + "." + parts[1], ErrMalformed},
		{"four parts", good + ".x", ErrMalformed},
		{"too long", good + strings.Repeat("A", MaxLength), ErrMalformed},
		{"algorithm none", b64(`{"alg":"none"}`) + "." + parts[1] + "." + parts[2], ErrUnknownKey},
		{"symmetric algorithm", b64(`{"alg":"HS256"}`) + "." + parts[1] + "." + parts[2], ErrUnknownKey},
		{"algorithm of another key", b64(`{"alg":"RS256"}`) + "." + parts[1] + "." + parts[2], ErrUnknownKey},
		{"critical parameter", b64(`{"alg":"ES256","crit":["b64"]}`) + "." + parts[1] + "." + parts[2], ErrMalformed},
		{"another key", foreign, ErrUnknownKey},
		{"changed claims", parts[0] + "." + b64(`{"iss":"https://issuer"}`) + "." + parts[2], errSignature},
		{"changed header", b64(`{"alg":"ES256"}`) + "." + parts[1] + "." + parts[2], errSignature},
		{"short signature", parts[0] + "." + parts[1] + ".AAAA", errSignature},
		{"zero signature", parts[0] + "." + parts[1] + "." + b64(string(make([]byte, 64))), errSignature},
		{"padded", parts[0] + "." + parts[1] + "." + parts[2] + "==", ErrMalformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := v.Verify(c.token)
			if !errors.Is(err, c.want) || got != nil {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func TestWeakKeys(t *testing.T) {
	if _, err := NewSigner(mustECDSA(t, elliptic.P224())); err == nil {
		t.Error("P-224 was accepted")
	}
}

// FuzzVerify looks for tokens that crash the parser, or that are accepted though nobody signed them.
func FuzzVerify(f *testing.F) {
	s, v := pair(f, mustECDSA(f, elliptic.P256()))
	good, err := s.Sign(claims())
	if err != nil {
		f.Fatal(err)
	}
	head, rest, _ := strings.Cut(good, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	for _, seed := range []string{"", ".", "..", "a.b.c", head + ".e30." + signature, head + "." + payload + ".", "bnVsbA.bnVsbA.bnVsbA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := Issuer(token); err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("issuer: %v", err)
		}
		if c, err := v.Verify(token); err == nil {
			t.Errorf("accepted %q as %+v", token, c)
		}
		// The claims parser behind the signature must stand anything, too.
		var c Claims
		_ = decode(token, &c)
	})
}

func BenchmarkVerify(b *testing.B) {
	s, v := pair(b, mustECDSA(b, elliptic.P256()))
	token, err := s.Sign(claims())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := v.Verify(token); err != nil {
			b.Fatal(err)
		}
	}
}
