package api

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// registers is the namespace of the objects that the clients race for.
const registers = "registers"

// registerCount is how many there are: few, so that every client meets the others.
const registerCount = 4

type opKind string

const (
	opGet    opKind = "get"
	opList   opKind = "list"
	opCreate opKind = "create"
	opUpdate opKind = "update"
	opDelete opKind = "delete"
)

type result string

const (
	done     result = "done"
	missing  result = "not found"
	exists   result = "exists"
	conflict result = "conflict"
	unknown  result = "unknown"
)

// input is a call. Expected is the resourceVersion that a write insists on, 0 for none.
type input struct {
	Op       opKind
	Key      int
	Value    string `json:",omitempty"`
	Expected int64  `json:",omitempty"`
	Way      string
}

// cell is the state of one object; Revision 0 is none.
type cell struct {
	Revision int64  `json:",omitempty"`
	Value    string `json:",omitempty"`
}

// output is an answer: the cell that was read or the revision that was written.
type output struct {
	Result   result
	Revision int64                `json:",omitempty"`
	Cell     cell                 `json:",omitzero"`
	Cells    *[registerCount]cell `json:",omitempty"`
}

// state is that of all objects, and the highest revision so far: revisions of writes grow, whichever object they are of.
type state struct {
	cells   [registerCount]cell
	highest int64
}

var model = porcupine.Model{
	Init: func() any { return state{} },
	Step: func(s, in, out any) (bool, any) {
		ok, next := s.(state).step(in.(input), out.(output))
		return ok, next
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
	DescribeState:     func(s any) string { return fmt.Sprintf("%+v", s) },
}

// step tells whether a call could have had that answer in a state, and the state afterwards.
func (s state) step(in input, out output) (bool, state) {
	now := s.cells[in.Key]
	there := now.Revision > 0
	switch {
	case in.Op == opList:
		return *out.Cells == s.cells, s
	case in.Op == opGet && out.Result == missing:
		return !there, s
	case in.Op == opGet:
		return out.Cell == now, s
	case out.Result == exists:
		return there, s
	case out.Result == missing:
		return !there, s
	case out.Result == conflict:
		return there && in.Expected != now.Revision, s
	}
	// A write that was made, or, as a deletion without answer, perhaps was.
	fits := there == (in.Op != opCreate) && (in.Expected == 0 || in.Expected == now.Revision)
	if in.Op == opDelete {
		if fits {
			s.cells[in.Key] = cell{}
		}
		return fits || out.Result == unknown, s
	}
	if !fits || out.Revision <= s.highest {
		return false, s
	}
	s.cells[in.Key] = cell{out.Revision, in.Value}
	s.highest = out.Revision
	return true, s
}
