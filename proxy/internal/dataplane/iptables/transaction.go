package iptables

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
)

// transaction collects the changes of both tables for one iptables-restore, which applies a table as a whole or not at
// all.
type transaction struct {
	nat, filter tableChange
}

// tableChange is what changes in one table: chains are declared first (which empties those named), then lines, then
// chains that are removed.
type tableChange struct {
	declare []string
	lines   []string
	remove  []string
}

func (t *tableChange) empty() bool {
	return len(t.declare) == 0 && len(t.lines) == 0 && len(t.remove) == 0
}

// chain declares a chain and fills it.
func (t *tableChange) chain(name string, lines []string) {
	t.declare = append(t.declare, name)
	for _, l := range lines {
		t.lines = append(t.lines, "-A "+name+" "+l)
	}
}

// replace turns the lines that a shared chain has into those wanted, leaving what is in both.
func (t *tableChange) replace(chain string, have, want []string) {
	for _, l := range have {
		if !slices.Contains(want, l) {
			t.lines = append(t.lines, "-D "+chain+" "+l)
		}
	}
	for _, l := range want {
		if !slices.Contains(have, l) {
			t.lines = append(t.lines, "-A "+chain+" "+l)
		}
	}
}

// bytes is the input of iptables-restore --noflush.
func (t *transaction) bytes() []byte {
	var b bytes.Buffer
	for _, part := range []struct {
		name string
		tableChange
	}{{"nat", t.nat}, {"filter", t.filter}} {
		if part.empty() {
			continue
		}
		fmt.Fprintf(&b, "*%s\n", part.name)
		sort.Strings(part.declare)
		for _, c := range slices.Compact(part.declare) {
			fmt.Fprintf(&b, ":%s - [0:0]\n", c)
		}
		for _, l := range part.lines {
			b.WriteString(l)
			b.WriteByte('\n')
		}
		// A chain is emptied by its declaration before it can be removed.
		for _, c := range part.remove {
			fmt.Fprintf(&b, "-X %s\n", c)
		}
		b.WriteString("COMMIT\n")
	}
	return b.Bytes()
}
