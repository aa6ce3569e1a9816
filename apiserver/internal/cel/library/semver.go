package library

import (
	"errors"
	"strings"

	"github.com/blang/semver/v4"
	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// SemverType is the type of semantic versions.
var SemverType = celgo.ObjectType("kubernetes.Semver")

var semvers = &class[semver.Version]{typ: SemverType, equal: semver.Version.EQ, text: semver.Version.String}

func semverFunctions() functions {
	v, str := SemverType, celgo.StringType
	part := func(id string, f func(semver.Version) uint64) []celgo.FunctionOpt {
		return []celgo.FunctionOpt{member(id, args(v), celgo.IntType, unary(func(a semver.Version) ref.Val { return types.Int(f(a)) }))}
	}
	return functions{
		"semver": {
			global("string_to_semver", args(str), v, unary(func(s string) ref.Val { return toSemver(s, false) })),
			global("string_bool_to_semver", args(str, celgo.BoolType), v, binary(toSemver)),
		},
		"isSemver": {
			global("is_semver_string", args(str), celgo.BoolType, unary(func(s string) ref.Val { return isSemver(s, false) })),
			global("is_semver_string_bool", args(str, celgo.BoolType), celgo.BoolType, binary(isSemver)),
		},
		"isGreaterThan": {member("semver_is_greater_than", args(v, v), celgo.BoolType,
			binary(func(a, b semver.Version) ref.Val { return types.Bool(a.GT(b)) }))},
		"isLessThan": {member("semver_is_less_than", args(v, v), celgo.BoolType,
			binary(func(a, b semver.Version) ref.Val { return types.Bool(a.LT(b)) }))},
		"compareTo": {member("semver_compare_to", args(v, v), celgo.IntType,
			binary(func(a, b semver.Version) ref.Val { return types.Int(a.Compare(b)) }))},
		"major": part("semver_major", func(a semver.Version) uint64 { return a.Major }),
		"minor": part("semver_minor", func(a semver.Version) uint64 { return a.Minor }),
		"patch": part("semver_patch", func(a semver.Version) uint64 { return a.Patch }),
	}
}

func toSemver(s string, normalize bool) ref.Val {
	v, err := parseSemver(s, normalize)
	if err != nil {
		return types.WrapErr(err)
	}
	return semvers.wrap(v)
}

func isSemver(s string, normalize bool) ref.Val {
	_, err := parseSemver(s, normalize)
	return types.Bool(err == nil)
}

// parseSemver reads a version; normalize allows a leading v, leading zeros, and missing minor and patch numbers.
func parseSemver(s string, normalize bool) (semver.Version, error) {
	if !normalize {
		return semver.Parse(s)
	}
	parts := strings.SplitN(strings.TrimPrefix(s, "v"), ".", 3)
	for i, p := range parts {
		short := strings.TrimLeft(p, "0")
		if len(p) > len(short) && (short == "" || short[0] < '0' || short[0] > '9') {
			short = "0" + short
		}
		parts[i] = short
	}
	if len(parts) < 3 && strings.ContainsAny(parts[len(parts)-1], "+-") {
		return semver.Version{}, errors.New("short version cannot contain PreRelease/Build meta data")
	}
	for len(parts) < 3 {
		parts = append(parts, "0")
	}
	return semver.Parse(strings.Join(parts, "."))
}
