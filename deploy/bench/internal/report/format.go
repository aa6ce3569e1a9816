package report

import (
	"fmt"
	"strconv"
	"time"
)

// duration with three digits.
func duration(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d.Nanoseconds())
	case d < time.Millisecond:
		return digits(float64(d)/float64(time.Microsecond)) + " us"
	case d < time.Second:
		return digits(float64(d)/float64(time.Millisecond)) + " ms"
	default:
		return digits(d.Seconds()) + " s"
	}
}

// Duration is how this package writes a duration.
func Duration(d time.Duration) string { return duration(d) }

// Bytes is how this package writes a size.
func Bytes(n int64) string { return bytesText(n) }

func digits(f float64) string {
	switch {
	case f < 10:
		return fmt.Sprintf("%.2f", f)
	case f < 100:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.0f", f)
}

func rate(perSecond float64) string {
	if perSecond < 100 {
		return digits(perSecond) + "/s"
	}
	return Thousands(int(perSecond+0.5)) + "/s"
}

func bytesText(n int64) string {
	const mib = 1 << 20
	if n < 1<<30 {
		return fmt.Sprintf("%.0f MiB", float64(n)/mib)
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}

// Thousands writes a number with separators.
func Thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
