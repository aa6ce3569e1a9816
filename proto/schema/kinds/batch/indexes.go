package batch

import (
	"fmt"
	"strconv"
	"strings"
)

// interval is a range of indexes, both ends inclusive.
type interval struct{ first, last int }

// indexes parses what a job's status and success policy write of indexes: "1,3-5,7". All must be below completions.
func indexes(text string, completions int32) ([]interval, error) {
	if text == "" {
		return nil, nil
	}
	var out []interval
	for part := range strings.SplitSeq(text, ",") {
		i, err := parseInterval(part, int(completions))
		if err != nil {
			return nil, err
		}
		if n := len(out); n > 0 && out[n-1].last >= i.first {
			return nil, fmt.Errorf("non-increasing order, previous: %d, current: %d", out[n-1].last, i.first)
		}
		out = append(out, i)
	}
	return out, nil
}

func parseInterval(text string, completions int) (interval, error) {
	ends := strings.Split(text, "-")
	if len(ends) > 2 {
		return interval{}, fmt.Errorf("the fragment %q violates the requirement that an index interval can have at most two parts separated by '-'", text)
	}
	var numbers []int
	for _, end := range ends {
		n, err := strconv.Atoi(end)
		if err != nil {
			return interval{}, fmt.Errorf("cannot convert string to integer for index: %q", end)
		}
		if n >= completions {
			return interval{}, fmt.Errorf("too large index: %q", end)
		}
		numbers = append(numbers, n)
	}
	i := interval{numbers[0], numbers[len(numbers)-1]}
	if len(numbers) == 2 && i.first >= i.last {
		return interval{}, fmt.Errorf("non-increasing order, previous: %d, current: %d", i.first, i.last)
	}
	return i, nil
}

func count(list []interval) int {
	n := 0
	for _, i := range list {
		n += i.last - i.first + 1
	}
	return n
}

// overlap returns the first index that is in both lists; ok is false where there is none.
func overlap(a, b []interval) (index int, ok bool) {
	for _, x := range a {
		for _, y := range b {
			if first := max(x.first, y.first); first <= min(x.last, y.last) {
				return first, true
			}
		}
	}
	return 0, false
}
