package library

import (
	"math"

	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// How the libraries' functions cost, at run time and as estimated.
type costClass int

const (
	// constant functions cost 1.
	constant costClass = iota + 1
	// authorization checks cost so much that an expression can make two.
	authorization
	// selectorParse reads a selector out of the second argument.
	selectorParse
	// traversal visits each element of a list once.
	traversal
	// scan reads the first string once, scanTwice twice.
	scan
	scanTwice
	// joining writes the result.
	joining
	// matching runs a regular expression.
	matching
	// addressing reads an address, or takes one out of a block.
	addressing
	containsIP
	containsCIDR
	formatting
)

const checkCost = 350000

var costClasses = byFunction(map[costClass][]string{
	constant: {
		"serviceAccount", "path", "group", "resource", "subresource", "namespace", "name", "allowed", "reason", "error", "errored",
		"masked", "prefixLength", "family", "isUnspecified", "isLoopback", "isLinkLocalMulticast", "isLinkLocalUnicast", "isGlobalUnicast",
		"format.named", "sign", "asInteger", "isInteger", "asApproximateFloat", "isGreaterThan", "isLessThan", "compareTo", "add", "sub",
		"major", "minor", "patch", "getScheme", "getHostname", "getHost", "getPort", "getEscapedPath", "getQuery",
	},
	authorization: {"check"},
	selectorParse: {"fieldSelector", "labelSelector"},
	traversal:     {"isSorted", "sum", "max", "min", "indexOf", "lastIndexOf", "includes"},
	scan: {
		"url", "lowerAscii", "upperAscii", "substring", "trim", "jsonpatch.escapeKey", "cidr", "isIP", "isCIDR",
		"quantity", "isQuantity", "semver", "isSemver",
	},
	scanTwice:    {"replace", "split", "ip.isCanonical"},
	joining:      {"join"},
	matching:     {"find", "findAll"},
	addressing:   {"ip"},
	containsIP:   {"containsIP"},
	containsCIDR: {"containsCIDR"},
	formatting:   {"validate"},
})

func byFunction(m map[costClass][]string) map[string]costClass {
	out := map[string]costClass{}
	for class, names := range m {
		for _, name := range names {
			out[name] = class
		}
	}
	return out
}

// Costs tells what calls of the libraries' functions really cost: an interpreter.ActualCostEstimator.
type Costs struct{}

// CallCost implements interpreter.ActualCostEstimator. Nil leaves the cost to CEL.
func (Costs) CallCost(function, overload string, args []ref.Val, result ref.Val) *uint64 {
	if function == "_==_" && len(args) == 2 {
		if _, ok := args[0].(interface{ cheap() }); ok {
			return exact(1)
		}
		return nil
	}
	class := costClasses[function]
	if class == 0 {
		return nil
	}
	if class == traversal {
		var cost uint64
		if len(args) > 0 {
			cost = visit(args[0])
		}
		return exact(cost)
	}
	switch class {
	case constant:
		return exact(1)
	case authorization:
		return exact(checkCost)
	}
	if len(args) == 0 {
		return nil
	}
	first := sizeOf(args[0])
	if class == scan || class == addressing && overload != "cidr_ip" {
		return exact(perByte(first))
	}
	switch class {
	case addressing:
		return exact(1)
	case scanTwice:
		return exact(perByte(2 * first))
	case joining:
		return exact(perByte(2 * sizeOf(result)))
	}
	if len(args) < 2 {
		return nil
	}
	second := sizeOf(args[1])
	switch class {
	case selectorParse:
		return exact(selectorCost(exactly(second)).Max)
	case matching:
		return exact(perByte(1+first) * perRegexByte(second))
	case containsIP, containsCIDR:
		cost := perByte(2 * first)
		if class == containsCIDR {
			cost += perByte(first) + 1
		}
		if overload == "cidr_contains_ip_string" || overload == "cidr_contains_cidr_string" {
			cost += perByte(second)
		}
		return exact(cost)
	case formatting:
		if f, ok := args[0].Value().(*format); ok {
			return exact(perByte(1+second) * perRegexByte(uint64(f.cost)))
		}
	}
	return nil
}

func exact(n uint64) *uint64 { return &n }

// perByte is what reading so many bytes costs.
func perByte(n uint64) uint64 {
	return uint64(math.Ceil(float64(n) * common.StringTraversalCostFactor))
}

// perRegexByte is what a regular expression of so many bytes costs for each byte that it reads.
func perRegexByte(n uint64) uint64 {
	return uint64(math.Ceil(float64(n) * common.RegexStringLengthCostFactor))
}

// sizeOf is the size of a value for the sake of costs.
func sizeOf(v ref.Val) uint64 {
	switch v := v.(type) {
	case interface{ cost() uint64 }:
		return v.cost()
	case traits.Sizer:
		if n, ok := v.Size().(types.Int); ok {
			return uint64(n)
		}
	}
	return 1
}

// visit is what looking at all of a value costs.
func visit(v ref.Val) uint64 {
	var cost uint64
	switch v := v.(type) {
	case types.String:
		return uint64(float64(len(v)) * common.StringTraversalCostFactor)
	case types.Bytes:
		return uint64(float64(len(v)) * common.StringTraversalCostFactor)
	case traits.Lister:
		for it := v.Iterator(); it.HasNext() == types.True; {
			cost += visit(it.Next())
		}
	case traits.Mapper:
		for it := v.Iterator(); it.HasNext() == types.True; {
			k := it.Next()
			cost += visit(k) + visit(v.Get(k))
		}
	default:
		return 1
	}
	return cost
}
