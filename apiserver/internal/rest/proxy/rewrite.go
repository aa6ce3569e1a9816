package proxy

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/keelson/keelson/proto/apierrors"
)

// maxPage is the longest HTML page in bytes whose links are rewritten; longer ones pass as they are.
const maxPage = 16 << 20

// rewriter tells the backend where it is seen from, and leads the links of its answers back through the proxy.
type rewriter struct {
	// prefix is the path of the proxy, up to the segment "proxy".
	prefix string
	inner  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *rewriter) RoundTrip(r *http.Request) (*http.Response, error) {
	seen := path.Join(t.prefix, r.URL.EscapedPath())
	if strings.HasSuffix(r.URL.Path, "/") {
		seen += "/"
	}
	r.Header.Set("X-Forwarded-Uri", seen)
	resp, err := t.inner.RoundTrip(r)
	if err != nil {
		return nil, apierrors.NewServiceUnavailable(fmt.Sprintf("error trying to reach service: %v", err))
	}
	if location := resp.Header.Get("Location"); location != "" {
		to, err := url.Parse(location)
		if err != nil {
			_ = resp.Body.Close()
			return nil, apierrors.NewInternal(fmt.Errorf("error trying to parse Location header: %w", err))
		}
		resp.Header.Set("Location", t.link(to, r))
		return resp, nil
	}
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if strings.TrimSpace(kind) != "text/html" || r.Method == http.MethodHead || resp.StatusCode == http.StatusSwitchingProtocols {
		return resp, nil
	}
	return resp, t.page(resp, r)
}

// link leads a link of an answer to request r through the proxy, unless it is relative or to somewhere else.
func (t *rewriter) link(to *url.URL, r *http.Request) string {
	elsewhere := to.Host != "" && to.Host != r.URL.Host && to.Host != r.Host
	if elsewhere || !strings.HasPrefix(to.Path, "/") {
		return to.String()
	}
	if to.Host != r.Host {
		to.Scheme, to.Host = "", ""
	}
	if strings.HasPrefix(to.Path, t.prefix) {
		return to.String()
	}
	slash := strings.HasSuffix(to.Path, "/")
	to.Path, to.RawPath = path.Join(t.prefix, to.Path), ""
	if slash {
		to.Path += "/"
	}
	return to.String()
}

// page rewrites the links of an HTML page.
func (t *rewriter) page(resp *http.Response, r *http.Request) error {
	body := resp.Body
	head, err := io.ReadAll(io.LimitReader(body, maxPage+1))
	if err != nil {
		_ = body.Close()
		return err
	}
	if len(head) > maxPage {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(head), body), body}
		return nil
	}
	_ = body.Close()
	out, ok := t.rewritten(head, resp.Header.Get("Content-Encoding"), r)
	if !ok {
		out = head // in a form that nobody here can read
	}
	resp.Body = io.NopCloser(bytes.NewReader(out))
	resp.ContentLength = int64(len(out))
	resp.TransferEncoding = nil
	resp.Header.Set("Content-Length", strconv.Itoa(len(out)))
	return nil
}

// rewritten returns the page with its links led through the proxy, in the same content encoding; false where it cannot
// be read.
func (t *rewriter) rewritten(page []byte, encoding string, r *http.Request) ([]byte, bool) {
	var out bytes.Buffer
	var from io.Reader
	var to io.WriteCloser
	var err error
	switch encoding {
	case "":
		from, to = bytes.NewReader(page), nopCloser{&out}
	case "gzip":
		from, err = gzip.NewReader(bytes.NewReader(page))
		to = gzip.NewWriter(&out)
	case "deflate":
		from, err = zlib.NewReader(bytes.NewReader(page))
		to = zlib.NewWriter(&out)
	default:
		return nil, false
	}
	if err != nil {
		return nil, false
	}
	// A small compressed page may be a huge one.
	if err := t.links(io.LimitReader(from, 4*maxPage), to, r); err != nil || to.Close() != nil {
		return nil, false
	}
	return out.Bytes(), true
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// linked are the attributes of HTML elements that hold links.
var linked = map[atom.Atom][]string{
	atom.A: {"href"}, atom.Applet: {"codebase"}, atom.Area: {"href"}, atom.Audio: {"src"}, atom.Base: {"href"},
	atom.Blockquote: {"cite"}, atom.Body: {"background"}, atom.Button: {"formaction"}, atom.Command: {"icon"},
	atom.Del: {"cite"}, atom.Embed: {"src"}, atom.Form: {"action"}, atom.Frame: {"longdesc", "src"}, atom.Head: {"profile"},
	atom.Html: {"manifest"}, atom.Iframe: {"longdesc", "src"}, atom.Img: {"longdesc", "src", "usemap"},
	atom.Input: {"src", "usemap", "formaction"}, atom.Ins: {"cite"}, atom.Link: {"href"},
	atom.Object: {"classid", "codebase", "data", "usemap"}, atom.Q: {"cite"}, atom.Script: {"src"}, atom.Source: {"src"},
	atom.Video: {"poster", "src"},
}

// links copies HTML, rewriting the links in it.
func (t *rewriter) links(from io.Reader, to io.Writer, r *http.Request) error {
	tokens := html.NewTokenizer(from)
	for {
		kind := tokens.Next()
		if kind == html.ErrorToken {
			if err := tokens.Err(); err != io.EOF { //nolint:errorlint // the tokenizer returns it bare
				return err
			}
			return nil
		}
		raw := tokens.Raw()
		if kind == html.StartTagToken || kind == html.SelfClosingTagToken {
			raw = bytes.Clone(raw) // Token changes it
			token := tokens.Token()
			changed := false
			for i, a := range token.Attr {
				if !slices.Contains(linked[token.DataAtom], a.Key) {
					continue
				}
				if u, err := url.Parse(a.Val); err == nil {
					if v := t.link(u, r); v != a.Val {
						token.Attr[i].Val, changed = v, true
					}
				}
			}
			if changed {
				raw = []byte(token.String())
			}
		}
		if _, err := to.Write(raw); err != nil {
			return err
		}
	}
}
