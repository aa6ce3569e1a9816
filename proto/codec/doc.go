// Package codec translates between the protobuf encoding of API objects and Kubernetes' JSON, without a Go struct in
// between.
//
// A [Type] is compiled once from a message's descriptor and the options of keelson.options.v1: which sub-messages are
// inlined, what JSON holds for a field that is not set, which messages are times, quantities or raw JSON. After that
// nothing is looked up by reflection: one pass over the input appends to the output.
//
// Both directions keep the semantics of Kubernetes' own serializer (encoding/json as patched by sigs.k8s.io/json):
// names are case-sensitive, null leaves a value unset, invalid UTF-8 becomes U+FFFD, map keys are written in order,
// and unknown or duplicate fields are ignored or reported in Kubernetes' words.
//
// Wire input obeys protobuf's merge rule everywhere in the package: a message that occurs twice is the merge of both
// occurrences, the last scalar wins, repeated fields are joined. The API server relies on it, for it appends the
// resource version to stored bytes (see [AppendResourceVersion]).
//
// Hostile input is refused with an error: nesting and output size are bounded, and nothing panics.
package codec
