package deployment

import (
	"math"
	"strconv"
	"strings"

	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

// intOrStringString is the type of an IntOrString that holds a string.
const intOrStringString = 1

// replicas is the desired number of pods; the API defaults it to 1.
func replicas(d *appsv1.Deployment) int32 {
	if d.GetSpec().Replicas == nil {
		return 1
	}
	return d.GetSpec().GetReplicas()
}

// rolling reports whether the strategy is RollingUpdate, the default.
func rolling(d *appsv1.Deployment) bool {
	return d.GetSpec().GetStrategy().GetType() != strategyRecreate
}

// bounds returns how many pods a rollout may have beyond, and may miss of, the desired number. Percentages of surge
// round up and those of unavailable round down; were both 0 a rollout could not move, so one may then be missing.
func bounds(d *appsv1.Deployment) (surge, unavailable int32) {
	n := replicas(d)
	if !rolling(d) || n == 0 {
		return 0, 0
	}
	update := d.GetSpec().GetStrategy().GetRollingUpdate()
	surge = scaled(update.GetMaxSurge(), n, true)
	unavailable = scaled(update.GetMaxUnavailable(), n, false)
	if surge == 0 && unavailable == 0 {
		unavailable = 1
	}
	return surge, min(unavailable, n)
}

// scaled resolves a number or a percentage of total. What is neither counts as 0; the API refuses it.
func scaled(v *metav1.IntOrString, total int32, up bool) int32 {
	if v == nil {
		return 0
	}
	if v.GetType() != intOrStringString {
		return v.GetIntVal()
	}
	percent, err := strconv.Atoi(strings.TrimSuffix(v.GetStrVal(), "%"))
	if err != nil {
		return 0
	}
	share := float64(percent) * float64(total) / 100
	if up {
		return int32(math.Ceil(share))
	}
	return int32(math.Floor(share))
}

// minAvailable is the fewest available pods that a rollout may leave.
func minAvailable(d *appsv1.Deployment) int32 {
	_, unavailable := bounds(d)
	return replicas(d) - unavailable
}
