// Package signing issues the certificates of approved CertificateSigningRequests, for Kubernetes' own signers.
//
// It runs inside the API server, because that is where the authority's key is: the key never leaves the data directory, and
// no component has to be told where it lies. It reads and writes requests through the pipeline like anybody. Several API
// servers may sign the same request; the second one's write is a conflict and its certificate is thrown away.
//
// What a signer refuses gets the condition Failed with the reason SignerValidationFailure. Requests for signers of other
// names are left to whoever they belong to.
package signing
