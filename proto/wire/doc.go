// Package wire reads and writes generated messages in protobuf's binary encoding, for the hot paths of servers.
//
// It does what google.golang.org/protobuf/proto does, with the same result to the bit: Unmarshal agrees with
// proto.Unmarshal on what is valid and what it means, and Marshal gives the bytes of deterministic marshalling. It costs
// less because it knows the structs of the messages (package layout), makes one string of the whole input instead of one
// for each field, makes the items of a list together, and encodes from the end to the beginning, so that no size has to
// be computed first.
//
// What it does not know (members of oneofs, maps whose keys are no strings, messages without a generated type) is left to
// package proto.
package wire

import "errors"

// Errors of Unmarshal and Marshal.
var (
	// ErrInvalid is returned where the bytes are no message in protobuf's encoding.
	ErrInvalid = errors.New("cannot parse invalid wire-format data")
	// ErrInvalidUTF8 is returned where a string is not valid UTF-8.
	ErrInvalidUTF8 = errors.New("string field contains invalid UTF-8")
	// ErrTooDeep is returned where messages are nested more than 10,000 deep, protobuf's own bound.
	ErrTooDeep = errors.New("exceeded maximum recursion depth")
)
