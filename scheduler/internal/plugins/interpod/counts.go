package interpod

import "github.com/keelson/keelson/scheduler/internal/state"

// counts says how many pods that a term means run in each of the term's topology domains.
type counts struct {
	term
	byValue map[string]int
	total   int
}

func (c *counts) add(n *state.Node, sign int) {
	value, ok := n.Labels[c.key]
	if !ok {
		return
	}
	c.total += sign
	if c.byValue[value] += sign; c.byValue[value] <= 0 {
		delete(c.byValue, value)
	}
}

func (c *counts) reset() { c.byValue, c.total = map[string]int{}, 0 }

// in is the number in the domain of a node; ok is false where the node is in none.
func (c *counts) in(n *state.Node) (count int, ok bool) {
	value, ok := n.Labels[c.key]
	return c.byValue[value], ok
}
