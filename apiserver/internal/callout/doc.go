// Package callout calls the programs that extend the API server: admission webhooks and conversion webhooks. One is
// found by its URL or by its Service, and proves by a certificate who it is; connections are kept and shared by those
// that are called in the same way.
//
//	Endpoint{Service} ── dialer (service → endpoint → tunnel of its node) ── TLS as <name>.<namespace>.svc ── POST
package callout
