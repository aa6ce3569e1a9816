package flowcontrol

import (
	"fmt"
	"math"

	"k8s.io/apimachinery/pkg/util/validation/field"

	flowcontrolv1 "github.com/keelson/keelson/proto/gen/keelson/flowcontrol/v1"
	"github.com/keelson/keelson/proto/schema/rule"
)

const (
	maxQueues = 10_000_000
	// maxEntropy is how many bits of a flow's hash choose its hand of queues.
	maxEntropy = 60
)

func priorityLevel(p, _ *flowcontrolv1.PriorityLevelConfiguration) rule.ErrorList {
	s, at := p.GetSpec(), field.NewPath("spec")
	if s == nil {
		s = &flowcontrolv1.PriorityLevelConfigurationSpec{}
	}
	var errs rule.ErrorList
	if (p.GetMetadata().GetName() == exempt) != (s.Type == "Exempt") {
		errs = append(errs, field.Invalid(at.Child("type"), s.Type, "must be 'Exempt' if and only if `name` is 'exempt'"))
	}
	switch s.Type {
	case "Exempt":
		if s.Limited != nil {
			errs = append(errs, field.Forbidden(at.Child("limited"), "must be nil if the type is not Limited"))
		}
		if e := s.Exempt; e != nil {
			errs = append(errs, shares(e.GetNominalConcurrencyShares(), e.GetLendablePercent(), at.Child("exempt"))...)
		}
	case "Limited":
		if s.Exempt != nil {
			errs = append(errs, field.Forbidden(at.Child("exempt"), "must be nil if the type is Limited"))
		}
		if s.Limited == nil {
			return append(errs, field.Required(at.Child("limited"), "must not be empty when type is Limited"))
		}
		errs = append(errs, limited(s.Limited, at.Child("limited"))...)
	case "":
	default:
		errs = append(errs, field.NotSupported(at.Child("type"), s.Type, []string{"Exempt", "Limited"}))
	}
	return errs
}

func shares(nominal, lendable int32, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if nominal < 0 {
		errs = append(errs, field.Invalid(at.Child("nominalConcurrencyShares"), nominal, "must be a non-negative integer"))
	}
	if lendable < 0 || lendable > 100 {
		errs = append(errs, field.Invalid(at.Child("lendablePercent"), lendable, "must be between 0 and 100, inclusive"))
	}
	return errs
}

func limited(l *flowcontrolv1.LimitedPriorityLevelConfiguration, at *rule.Path) rule.ErrorList {
	errs := shares(l.GetNominalConcurrencyShares(), l.GetLendablePercent(), at)
	if n := l.GetBorrowingLimitPercent(); n < 0 {
		errs = append(errs, field.Invalid(at.Child("borrowingLimitPercent"), n, "if specified, must be a non-negative integer"))
	}
	r, at := l.GetLimitResponse(), at.Child("limitResponse")
	switch r.GetType() {
	case "Reject":
		if r.Queuing != nil {
			errs = append(errs, field.Forbidden(at.Child("queuing"), "must be nil if limited.limitResponse.type is not Limited"))
		}
	case "Queue":
		if r.Queuing == nil {
			return append(errs, field.Required(at.Child("queuing"), "must not be empty if limited.limitResponse.type is Limited"))
		}
		errs = append(errs, queuing(r.Queuing, at.Child("queuing"))...)
	case "":
	default:
		errs = append(errs, field.NotSupported(at.Child("type"), r.GetType(), []string{"Queue", "Reject"}))
	}
	return errs
}

func queuing(q *flowcontrolv1.QueuingConfiguration, at *rule.Path) rule.ErrorList {
	var errs rule.ErrorList
	if q.QueueLengthLimit <= 0 {
		errs = append(errs, field.Invalid(at.Child("queueLengthLimit"), q.QueueLengthLimit, "must be positive"))
	}
	if q.Queues <= 0 {
		errs = append(errs, field.Invalid(at.Child("queues"), q.Queues, "must be positive"))
	} else if q.Queues > maxQueues {
		errs = append(errs, field.Invalid(at.Child("queues"), q.Queues, fmt.Sprintf("must not be greater than %d", maxQueues)))
	}
	at = at.Child("handSize")
	switch hand := q.HandSize; {
	case hand <= 0:
		errs = append(errs, field.Invalid(at, hand, "must be positive"))
	case hand > q.Queues:
		errs = append(errs, field.Invalid(at, hand, fmt.Sprintf("should not be greater than queues (%d)", q.Queues)))
	case entropy(int(q.Queues), int(hand)) > maxEntropy:
		errs = append(errs, field.Invalid(at, hand, fmt.Sprintf("required entropy bits of deckSize %d and handSize %d should not be greater than %d", q.Queues, hand, maxEntropy)))
	}
	return errs
}

// entropy is how many bits it takes to deal a hand from a deck.
func entropy(deck, hand int) int {
	return int(math.Ceil(math.Log2(float64(deck)) * float64(hand)))
}
