package table

import (
	"time"

	apiregistrationv1 "github.com/keelson/keelson/proto/gen/keelson/apiregistration/v1"
)

var _ = register(apiServiceCells)

func apiServiceCells(o *apiregistrationv1.APIService, now time.Time) []any {
	service := "Local"
	if s := o.GetSpec().GetService(); s != nil {
		service = s.GetNamespace() + "/" + s.GetName()
	}
	available := "Unknown"
	for _, c := range o.GetStatus().GetConditions() {
		if c.GetType() != "Available" {
			continue
		}
		if available = c.GetStatus(); available != "True" {
			available += " (" + c.GetReason() + ")"
		}
	}
	return []any{service, available, created(o.Metadata, now)}
}
