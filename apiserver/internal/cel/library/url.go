package library

import (
	"net/url"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// URLType is the type of absolute URLs.
var URLType = celgo.ObjectType("kubernetes.URL")

var urls = &class[*url.URL]{
	typ:   URLType,
	equal: func(a, b *url.URL) bool { return a.String() == b.String() },
	text:  (*url.URL).String,
}

func urlFunctions() functions {
	part := func(id string, f func(*url.URL) string) []celgo.FunctionOpt {
		return []celgo.FunctionOpt{member(id, args(URLType), celgo.StringType, unary(func(u *url.URL) ref.Val { return types.String(f(u)) }))}
	}
	return functions{
		"url":            {global("string_to_url", args(celgo.StringType), URLType, unary(parseURL))},
		"isURL":          {global("is_url_string", args(celgo.StringType), celgo.BoolType, unary(isURL))},
		"getScheme":      part("url_get_scheme", func(u *url.URL) string { return u.Scheme }),
		"getHost":        part("url_get_host", func(u *url.URL) string { return u.Host }),
		"getHostname":    part("url_get_hostname", (*url.URL).Hostname),
		"getPort":        part("url_get_port", (*url.URL).Port),
		"getEscapedPath": part("url_get_escaped_path", (*url.URL).EscapedPath),
		"getQuery": {member("url_get_query", args(URLType), celgo.MapType(celgo.StringType, celgo.ListType(celgo.StringType)),
			unary(query))},
	}
}

// parseURL takes what formats call a URI: absolute, with a fragment or without.
func parseURL(s string) ref.Val {
	_, err := url.ParseRequestURI(s)
	var u *url.URL
	if err == nil {
		u, err = url.Parse(s) // the former does not split off the fragment
	}
	if err != nil {
		return types.NewErr("URL parse error during conversion from string: %v", err)
	}
	return urls.wrap(u)
}

func isURL(s string) ref.Val {
	_, err := url.ParseRequestURI(s)
	return types.Bool(err == nil)
}

func query(u *url.URL) ref.Val {
	out := map[ref.Val]ref.Val{}
	for k, v := range u.Query() {
		out[types.String(k)] = types.NewStringList(types.DefaultTypeAdapter, v)
	}
	return types.NewRefValMap(types.DefaultTypeAdapter, out)
}
