package codec

import (
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	micro = "2006-01-02T15:04:05.000000Z07:00"
	// zeroSeconds is the zero time of Go, which JSON has as null.
	zeroSeconds = -62135596800
	day         = 24 * 60 * 60
)

// appendTime appends an instant in RFC 3339, in whole seconds or microseconds; Go's zero time is null.
func appendTime(dst []byte, seconds int64, nanos int32, micros bool) []byte {
	if seconds == zeroSeconds && nanos == 0 {
		return append(dst, "null"...)
	}
	dst = append(dst, '"')
	// Years 1970 to 9999 are written here; time.Time does the same for all others, more slowly.
	if seconds < 0 || seconds >= 253402300800 || nanos < 0 || nanos > 999999999 {
		layout := time.RFC3339
		if micros {
			layout = micro
		}
		return append(time.Unix(seconds, int64(nanos)).UTC().AppendFormat(dst, layout), '"')
	}
	y, m, d := civil(seconds / day)
	rest := int(seconds % day)
	dst = append(dst, byte('0'+y/1000), byte('0'+y/100%10), byte('0'+y/10%10), byte('0'+y%10), '-',
		byte('0'+m/10), byte('0'+m%10), '-', byte('0'+d/10), byte('0'+d%10), 'T')
	h, min, s := rest/3600, rest/60%60, rest%60
	dst = append(dst, byte('0'+h/10), byte('0'+h%10), ':', byte('0'+min/10), byte('0'+min%10), ':',
		byte('0'+s/10), byte('0'+s%10))
	if micros {
		u := nanos / 1000
		dst = append(dst, '.', byte('0'+u/100000), byte('0'+u/10000%10), byte('0'+u/1000%10), byte('0'+u/100%10),
			byte('0'+u/10%10), byte('0'+u%10))
	}
	return append(dst, 'Z', '"')
}

// civil converts days since 1970-01-01 (not negative) to a date, by years that begin in March so that the leap day
// is the last of its year.
func civil(days int64) (year, month, dayOfMonth int) {
	n := int(days) + 719468
	era := n / 146097
	doe := n - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	dayOfMonth = doy - (153*mp+2)/5 + 1
	year = yoe + era*400
	if mp < 10 {
		return year, mp + 3, dayOfMonth
	}
	return year + 1, mp - 9, dayOfMonth
}

// unixDays is the inverse of civil for years from 1970 on.
func unixDays(y, m, d int) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era*146097 + doe - 719468)
}

// parseTime reads an instant in RFC 3339 in Kubernetes' manner: errors are those of time.Parse.
func parseTime(s []byte, micros bool) (seconds int64, nanos int32, err error) {
	if !micros {
		if seconds, ok := parseUTC(s); ok {
			return seconds, 0, nil
		}
	}
	layout := time.RFC3339
	if micros {
		layout = micro
	}
	t, err := time.Parse(layout, string(s))
	if err != nil {
		return 0, 0, err
	}
	if micros {
		nanos = int32(t.Nanosecond())
	}
	return t.Unix(), nanos, nil
}

// parseUTC reads the one form that Kubernetes writes: 2006-01-02T15:04:05Z.
func parseUTC(s []byte) (int64, bool) {
	if len(s) != 20 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[19] != 'Z' {
		return 0, false
	}
	ok := true
	two := func(i int) int {
		a, b := s[i]-'0', s[i+1]-'0'
		ok = ok && a <= 9 && b <= 9
		return int(a)*10 + int(b)
	}
	y, m, d := two(0)*100+two(2), two(5), two(8)
	h, min, sec := two(11), two(14), two(17)
	// Days past the 28th depend on the month: the slow path judges them, except where the month is surely longer.
	if !ok || y < 1970 || m < 1 || m > 12 || d < 1 || d > 30 || d > 28 && m == 2 || h > 23 || min > 59 || sec > 59 {
		return 0, false
	}
	return unixDays(y, m, d)*day + int64(h*3600+min*60+sec), true
}

// appendTimeFields appends the fields of a Time or MicroTime, both of them as Kubernetes does; the zero time has none.
func appendTimeFields(out []byte, seconds int64, nanos int32) []byte {
	if seconds == zeroSeconds && nanos == 0 {
		return out
	}
	out = protowire.AppendVarint(append(out, 1<<3), uint64(seconds))
	return protowire.AppendVarint(append(out, 2<<3), uint64(nanos))
}
