// Package leaderelection lets one of several processes lead, by a Lease as Kubernetes' components use it.
//
//	      ┌──────────── lease held by another ◄───────────┐
//	      ▼                                               │
//	candidate ── free, expired or released ──► leader ── not renewed in time ──► lost: Run returns ErrLost
//	                                             │
//	                                             └── context ended ──► OnStarted returns ──► lease released
//
// Candidates watch the lease: a released one is taken over at once, an expired one as soon as it has expired by the
// candidate's own clock, so clocks need not agree. A leader that cannot renew stops leading before its lease can
// expire for others, provided that OnStarted returns soon after its context ends: RenewDeadline is shorter than
// LeaseDuration for that.
package leaderelection
