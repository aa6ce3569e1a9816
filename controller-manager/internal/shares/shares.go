// Package shares resolves fields that are a number or a percentage of another number.
package shares

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// typeString is the type of an IntOrString that holds a string.
const typeString = 1

// IsPercent reports whether v is a percentage.
func IsPercent(v *metav1.IntOrString) bool { return v.GetType() == typeString }

// Of resolves v against total; a share that is no whole number is rounded up, or down. Nil is 0. The error names a value
// that is neither a number nor a percentage.
func Of(v *metav1.IntOrString, total int, up bool) (int, error) {
	if !IsPercent(v) {
		return int(v.GetIntVal()), nil
	}
	number, isPercent := strings.CutSuffix(v.GetStrVal(), "%")
	percent, err := strconv.Atoi(number)
	if err != nil || !isPercent {
		return 0, fmt.Errorf("invalid value for IntOrString: invalid type: string is not a percentage")
	}
	share := float64(percent) * float64(total) / 100
	if up {
		return int(math.Ceil(share)), nil
	}
	return int(math.Floor(share)), nil
}
