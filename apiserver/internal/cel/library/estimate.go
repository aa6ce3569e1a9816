package library

import (
	"math"

	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
)

// Estimator estimates what expressions may cost at most, before they are run: a checker.CostEstimator.
type Estimator struct {
	// Size tells how large a value can be, by its path from a variable: fields by name, "@items", "@keys" and
	// "@values". Nil, or an answer of nil, is any size.
	Size func(path []string) *checker.SizeEstimate
}

// longestFormat is the length of the regular expression that a format is reckoned to be, largest is the size of a format.
const (
	longestFormat = 128
	largestFormat = 64
)

type (
	size = checker.SizeEstimate
	cost = checker.CostEstimate
)

func exactly(n uint64) size { return size{Min: n, Max: n} }

var one = cost{Min: 1, Max: 1}

// EstimateSize implements checker.CostEstimator.
func (e Estimator) EstimateSize(node checker.AstNode) *size {
	if e.Size == nil || len(node.Path()) == 0 {
		return nil
	}
	return e.Size(node.Path())
}

func (e Estimator) size(node checker.AstNode) size {
	if s := node.ComputedSize(); s != nil {
		return *s
	}
	if s := e.EstimateSize(node); s != nil {
		return *s
	}
	return size{Max: math.MaxUint64}
}

// selectorCost is what parsing a selector costs: its bytes, and a requirement for every second byte.
func selectorCost(length size) cost {
	base := cost{Min: common.ListCreateBaseCost, Max: common.ListCreateBaseCost}
	requirements := length.MultiplyByCostFactor(0.5)
	return base.Add(length.MultiplyByCostFactor(common.StringTraversalCostFactor)).
		Add(requirements.MultiplyByCostFactor(float64(common.ListCreateBaseCost + common.StructCreateBaseCost)))
}

func call(c cost) *checker.CallEstimate { return &checker.CallEstimate{CostEstimate: c} }

func sized(c cost, s size) *checker.CallEstimate {
	return &checker.CallEstimate{CostEstimate: c, ResultSize: &s}
}

func bytes(s size, factor float64) cost {
	return s.MultiplyByCostFactor(factor * common.StringTraversalCostFactor)
}

// EstimateCallCost implements checker.CostEstimator. Nil leaves the estimate to CEL.
func (e Estimator) EstimateCallCost(function, overload string, target *checker.AstNode, args []checker.AstNode) *checker.CallEstimate {
	if function == "_==_" {
		return equality(args)
	}
	class := costClasses[function]
	switch class {
	case 0:
		return nil
	case constant:
		return call(one)
	case authorization:
		return call(cost{Min: checkCost, Max: checkCost})
	case traversal:
		if target == nil {
			return nil
		}
		return e.traverse(function, *target)
	}
	// The subject is what a member function is called on, else the first argument.
	switch function {
	case "lowerAscii", "upperAscii", "substring", "trim":
		if target == nil {
			return nil
		}
		s := e.size(*target)
		return sized(bytes(s, 1), s)
	case "url", "jsonpatch.escapeKey":
		if len(args) != 1 {
			return nil
		}
		s := e.size(args[0])
		return sized(bytes(s, 1), s)
	case "replace":
		if target == nil || len(args) < 2 {
			return nil
		}
		return e.replace(*target, args[0], args[1])
	case "split":
		if target == nil {
			return nil
		}
		return e.split(*target, args)
	case "join":
		if target == nil {
			return nil
		}
		return e.join(*target, args)
	}
	if overload == "cidr_ip" {
		return call(one)
	}
	if len(args) == 0 {
		return nil
	}
	first := e.size(args[0])
	switch class {
	case selectorParse:
		return call(selectorCost(first))
	case scan, addressing:
		return call(bytes(first, 1))
	case scanTwice:
		return call(bytes(first, 2))
	case matching:
		if target == nil {
			return nil
		}
		s := e.size(*target)
		c := bytes(s.Add(exactly(1)), 1).Multiply(first.MultiplyByCostFactor(common.RegexStringLengthCostFactor))
		return sized(c, size{Max: s.Max})
	case containsIP, containsCIDR:
		address := size{Min: 4, Max: 16}
		c := bytes(address.Add(address), 1)
		if class == containsCIDR {
			c = c.Add(bytes(address, 1)).Add(one)
		}
		if overload == "cidr_contains_ip_string" || overload == "cidr_contains_cidr_string" {
			c = c.Add(bytes(first, 1))
		}
		return call(c)
	case formatting:
		return call(bytes(first, 1).MultiplyByCostFactor(longestFormat * common.RegexStringLengthCostFactor))
	}
	return nil
}

// traverse is 1 for each element, and their bytes where they have some.
func (e Estimator) traverse(function string, target checker.AstNode) *checker.CallEstimate {
	element := elementOf(target)
	switch {
	case element != nil:
		c := one
		if k := element.Type().Kind(); k == types.StringKind || k == types.BytesKind {
			c = c.Add(bytes(e.size(element), 1))
		}
		return call(e.size(target).MultiplyByCost(c))
	case function == "includes":
		return call(e.size(target).MultiplyByCost(one))
	}
	return call(bytes(e.size(target), 1)) // indexOf and lastIndexOf of strings
}

// replace reads and writes the string; its result is longest where the shortest pieces give way to the longest ones.
func (e Estimator) replace(target, from, to checker.AstNode) *checker.CallEstimate {
	s, old, repl := e.size(target), e.size(from), e.size(to)
	var count, kept size
	switch {
	case old.Min == 0: // "" is found around every character
		count.Max, kept.Max = plusOne(s.Max), s.Max
	case repl.Max <= old.Min:
		kept.Max = s.Max
	default:
		count.Max = uint64(math.Ceil(float64(s.Max) / float64(old.Min)))
	}
	switch {
	case old.Max == 0:
		count.Min, kept.Min = plusOne(s.Min), s.Min
	case old.Max <= repl.Min:
		kept.Min = s.Min
	default:
		count.Min = uint64(math.Ceil(float64(s.Min) / float64(old.Max)))
	}
	return sized(bytes(s, 2), count.Multiply(repl).Add(kept))
}

func plusOne(n uint64) uint64 {
	if n == math.MaxUint64 {
		return n
	}
	return n + 1
}

func (e Estimator) split(target checker.AstNode, args []checker.AstNode) *checker.CallEstimate {
	s := e.size(target)
	longest := s.Max
	if len(args) > 1 {
		if v := args[1].Expr().AsLiteral(); v != nil {
			if n, ok := v.Value().(int64); ok {
				longest = uint64(n)
			}
		}
	}
	return sized(bytes(s, 2), size{Max: longest})
}

func (e Estimator) join(target checker.AstNode, args []checker.AstNode) *checker.CallEstimate {
	var out size
	list := e.size(target)
	if element := elementOf(target); element != nil {
		out = list.Multiply(e.size(element))
	}
	if len(args) > 0 {
		gaps := size{Min: max(list.Min, 1) - 1, Max: max(list.Max, 1) - 1}
		out = out.Add(e.size(args[0]).Multiply(gaps))
	}
	return sized(bytes(out, 1), out)
}

// equality of the libraries' own types is cheap.
func equality(args []checker.AstNode) *checker.CallEstimate {
	if len(args) != 2 || args[0].Type().Equal(args[1].Type()) != types.True {
		return nil
	}
	switch args[0].Type().TypeName() {
	case IPType.TypeName(), CIDRType.TypeName(), QuantityType.TypeName(), SemverType.TypeName(), AuthorizerType.TypeName(),
		PathCheckType.TypeName(), GroupCheckType.TypeName(), ResourceCheckType.TypeName(), DecisionType.TypeName():
		return call(one)
	case FormatType.TypeName():
		return call(cost{Min: 1, Max: largestFormat}.MultiplyByCostFactor(common.StringTraversalCostFactor))
	case URLType.TypeName():
		longest := uint64(1)
		if s := args[1].ComputedSize(); s != nil {
			longest = s.Max
		}
		return call(cost{Min: 1, Max: longest}.MultiplyByCostFactor(common.StringTraversalCostFactor))
	}
	return nil
}

// elementOf stands for any element of a list; nil where the node is none.
func elementOf(list checker.AstNode) checker.AstNode {
	params := list.Type().Parameters()
	if len(params) == 0 {
		return nil
	}
	var path []string
	if p := list.Path(); p != nil {
		path = append(append(path, p...), "@items")
	}
	return &elementNode{path, params[0]}
}

type elementNode struct {
	path []string
	typ  *types.Type
}

// Path implements checker.AstNode.
func (n *elementNode) Path() []string { return n.path }

// Type implements checker.AstNode.
func (n *elementNode) Type() *types.Type { return n.typ }

// Expr implements checker.AstNode.
func (n *elementNode) Expr() ast.Expr { return nil }

// ComputedSize implements checker.AstNode.
func (n *elementNode) ComputedSize() *size { return nil }
