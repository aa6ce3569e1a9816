// Package aggregate lets other servers add to the API: an APIService names one version of a group and the Service behind
// which its server is.
//
//	APIService ─ remote ─┬─ check: is there an endpoint, does it answer discovery ─ status, and what it serves
//	                     └─ proxy: a request for the version ─ endpoint of the Service, over TLS, in the user's name
//
// What this server serves itself is listed as local APIServices. A version that is built in is never handed to another
// server, and what another server does badly is its own: it is asked with bounds on time, on how much it answers and on
// how many requests wait for it.
package aggregate
