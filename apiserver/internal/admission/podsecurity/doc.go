// Package podsecurity enforces the Pod Security Standards that namespaces ask for by their labels: privileged, baseline
// and restricted, each to be enforced, noted for audits, or warned about.
package podsecurity
