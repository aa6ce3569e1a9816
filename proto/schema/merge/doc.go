// Package merge applies patches to objects as JSON trees (map[string]any with int64 and float64 numbers): JSON patch, JSON
// merge patch and Kubernetes' strategic merge patch. Errors are API errors: BadRequest where the patch is malformed, Invalid
// where it does not fit the object. No input makes it panic.
package merge
