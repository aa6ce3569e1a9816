package api

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// The model of linearizability tells right from wrong.
func TestModel(t *testing.T) {
	op := func(call, back int64, in input, out output) porcupine.Operation {
		return porcupine.Operation{Input: in, Output: out, Call: call, Return: back}
	}
	create := op(0, 1, input{Op: opCreate, Value: "a"}, output{Result: done, Revision: 5})
	update := op(2, 3, input{Op: opUpdate, Value: "b", Expected: 5}, output{Result: done, Revision: 6})
	read := func(call, back int64, c cell) porcupine.Operation {
		return op(call, back, input{Op: opGet}, output{Result: done, Cell: c})
	}
	list := func(call, back int64, c ...cell) porcupine.Operation {
		var all [registerCount]cell
		copy(all[:], c)
		return op(call, back, input{Op: opList}, output{Result: done, Cells: &all})
	}
	lost := op(2, 100, input{Op: opDelete}, output{Result: unknown})
	for name, c := range map[string]struct {
		ops []porcupine.Operation
		ok  bool
	}{
		"in order":                    {[]porcupine.Operation{create, update, read(4, 5, cell{6, "b"}), list(4, 5, cell{6, "b"})}, true},
		"stale read":                  {[]porcupine.Operation{create, update, read(4, 5, cell{5, "a"})}, false},
		"stale list":                  {[]porcupine.Operation{create, update, list(4, 5, cell{5, "a"})}, false},
		"read during the write":       {[]porcupine.Operation{create, update, read(2, 5, cell{5, "a"})}, true},
		"lost write":                  {[]porcupine.Operation{create, op(2, 3, input{Op: opGet}, output{Result: missing})}, false},
		"deletion without answer":     {[]porcupine.Operation{create, lost, read(4, 5, cell{5, "a"}), op(6, 7, input{Op: opGet}, output{Result: missing})}, true},
		"two winners":                 {[]porcupine.Operation{create, update, op(2, 3, input{Op: opUpdate, Value: "c", Expected: 5}, output{Result: done, Revision: 7})}, false},
		"conflict without reason":     {[]porcupine.Operation{create, op(2, 3, input{Op: opUpdate, Value: "c", Expected: 5}, output{Result: conflict})}, false},
		"revision that goes backward": {[]porcupine.Operation{create, op(2, 3, input{Op: opCreate, Key: 1, Value: "c"}, output{Result: done, Revision: 4})}, false},
	} {
		if got := porcupine.CheckOperations(model, c.ops); got != c.ok {
			t.Errorf("%s: %v", name, got)
		}
	}
}
