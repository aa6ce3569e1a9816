// Package jwt signs and verifies the tokens of service accounts: JSON Web Tokens in compact form, in the few variants
// that the API server itself makes.
//
// It is deliberately narrow. The algorithm follows from the key and is never taken from the token; a token of any other
// algorithm, with critical header parameters, or longer than MaxLength is refused before anything is computed. Claims
// are looked at only after the signature is known to be good.
package jwt
