package job

import (
	"slices"
	"strconv"
	"strings"
)

// span is the indexes from first to last, both included.
type span struct{ first, last int }

// indexes is a set of indexes: spans in order, with gaps between them.
type indexes []span

// parseIndexes reads "0,3-5,7" as far as it is below limit. What is no number is left out: people may write there.
func parseIndexes(s string, limit int) indexes {
	var out indexes
	for _, part := range strings.Split(s, ",") {
		from, to, isSpan := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		if err != nil || first < 0 || first >= limit {
			continue
		}
		last := first
		if isSpan {
			if last, err = strconv.Atoi(to); err != nil {
				continue
			}
		}
		out = append(out, span{first, min(last, limit-1)})
	}
	return out.normal()
}

// indexesOf makes a set of single indexes.
func indexesOf(list []int) indexes {
	out := make(indexes, len(list))
	for i, n := range list {
		out[i] = span{n, n}
	}
	return out.normal()
}

// normal sorts spans and joins those that touch.
func (x indexes) normal() indexes {
	slices.SortFunc(x, func(a, b span) int { return a.first - b.first })
	var out indexes
	for _, s := range x {
		if n := len(out); n > 0 && s.first <= out[n-1].last+1 {
			out[n-1].last = max(out[n-1].last, s.last)
			continue
		}
		out = append(out, s)
	}
	return out
}

// union returns all indexes of both.
func (x indexes) union(y indexes) indexes { return slices.Concat(x, y).normal() }

// len counts the indexes.
func (x indexes) len() int {
	n := 0
	for _, s := range x {
		n += s.last - s.first + 1
	}
	return n
}

func (x indexes) has(i int) bool {
	at, found := slices.BinarySearchFunc(x, i, func(s span, i int) int { return s.first - i })
	return found || at > 0 && x[at-1].last >= i
}

// common counts the indexes that both have.
func (x indexes) common(y indexes) int {
	n := 0
	for i, j := 0, 0; i < len(x) && j < len(y); {
		n += max(min(x[i].last, y[j].last)-max(x[i].first, y[j].first)+1, 0)
		if x[i].last < y[j].last {
			i++
		} else {
			j++
		}
	}
	return n
}

// missing lists the first n indexes below limit that are not in the set.
func (x indexes) missing(n, limit int) []int {
	var out []int
	next := 0
	for _, s := range append(slices.Clone(x), span{limit, limit}) {
		for ; next < min(s.first, limit) && len(out) < n; next++ {
			out = append(out, next)
		}
		next = max(next, s.last+1)
	}
	return out
}

// String is "0,3-5,7": two that follow each other are not a span.
func (x indexes) String() string {
	var b strings.Builder
	for _, s := range x {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(s.first))
		switch s.last - s.first {
		case 0:
			continue
		case 1:
			b.WriteByte(',')
		default:
			b.WriteByte('-')
		}
		b.WriteString(strconv.Itoa(s.last))
	}
	return b.String()
}
