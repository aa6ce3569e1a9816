package library

import (
	"errors"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"k8s.io/apimachinery/pkg/api/resource"
)

// QuantityType is the type of amounts of resources.
var QuantityType = celgo.ObjectType("kubernetes.Quantity")

type amount = *resource.Quantity

var quantities = &class[amount]{
	typ:   QuantityType,
	equal: func(a, b amount) bool { return a.Cmp(*b) == 0 },
	text:  amount.String,
}

func quantityFunctions() functions {
	q := QuantityType
	return functions{
		"quantity":   {global("string_to_quantity", args(celgo.StringType), q, unary(toQuantity))},
		"isQuantity": {global("is_quantity_string", args(celgo.StringType), celgo.BoolType, unary(isQuantity))},
		"sign":       {global("quantity_sign", args(q), celgo.IntType, unary(func(a amount) ref.Val { return types.Int(a.Sign()) }))},
		"isGreaterThan": {member("quantity_is_greater_than", args(q, q), celgo.BoolType,
			binary(func(a, b amount) ref.Val { return types.Bool(a.Cmp(*b) > 0) }))},
		"isLessThan": {member("quantity_is_less_than", args(q, q), celgo.BoolType,
			binary(func(a, b amount) ref.Val { return types.Bool(a.Cmp(*b) < 0) }))},
		"compareTo": {member("quantity_compare_to", args(q, q), celgo.IntType,
			binary(func(a, b amount) ref.Val { return types.Int(a.Cmp(*b)) }))},
		"asApproximateFloat": {member("quantity_get_float", args(q), celgo.DoubleType,
			unary(func(a amount) ref.Val { return types.Double(a.AsApproximateFloat64()) }))},
		"asInteger": {member("quantity_get_int", args(q), celgo.IntType, unary(toInteger))},
		"isInteger": {member("quantity_is_integer", args(q), celgo.BoolType,
			unary(func(a amount) ref.Val { _, ok := a.AsInt64(); return types.Bool(ok) }))},
		"add": arithmetic("quantity_add", amount.Add),
		"sub": arithmetic("quantity_sub", amount.Sub),
	}
}

func toQuantity(s string) ref.Val {
	q, err := resource.ParseQuantity(s)
	if err != nil {
		return types.WrapErr(err)
	}
	return quantities.wrap(&q)
}

func isQuantity(s string) ref.Val {
	_, err := resource.ParseQuantity(s)
	return types.Bool(err == nil)
}

func toInteger(a amount) ref.Val {
	n, ok := a.AsInt64()
	if !ok {
		return types.WrapErr(errors.New("cannot convert value to integer"))
	}
	return types.Int(n)
}

// arithmetic declares a sum or difference with another quantity or an integer.
func arithmetic(id string, f func(amount, resource.Quantity)) []celgo.FunctionOpt {
	apply := func(a amount, b resource.Quantity) ref.Val {
		c := a.DeepCopy()
		f(&c, b)
		return quantities.wrap(&c)
	}
	return []celgo.FunctionOpt{
		member(id, args(QuantityType, QuantityType), QuantityType, binary(func(a, b amount) ref.Val { return apply(a, *b) })),
		member(id+"_int", args(QuantityType, celgo.IntType), QuantityType, binary(func(a amount, b int64) ref.Val {
			return apply(a, *resource.NewQuantity(b, resource.DecimalExponent))
		})),
	}
}
