// Package serviceaccount issues and verifies the tokens by which pods speak to the API server.
//
// A token names a service account and, usually, the pod that it was made for; it is good as long as both exist, and an
// hour unless asked otherwise. Nothing about a token is stored: deleting the pod or the account, or making either anew
// under the same name, ends all its tokens, because a token holds their UIDs. Bound objects are looked up in live views
// each time a token is used; only the signature, the expensive part, is remembered for a few seconds.
package serviceaccount
