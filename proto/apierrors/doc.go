// Package apierrors is the one error vocabulary of the API: Kubernetes' Status, with Kubernetes' reasons, HTTP codes
// and wording, because kubectl, Helm and client-go act on them.
//
// A *StatusError is made by the constructors here, crosses gRPC as a code with the Status as detail (to_grpc.go),
// becomes a *StatusError again in the client (from_grpc.go), and is told apart by the Is functions, which look through
// wrapped errors. The REST door asks FromError for the Status to write.
package apierrors
