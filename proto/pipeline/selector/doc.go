// Package selector parses Kubernetes' label and field selectors and matches them against flat values, never against a
// decoded object.
package selector
