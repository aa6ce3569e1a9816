package loop

import (
	"encoding/json"
	"maps"
	"time"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

// conditionPatch is a strategic merge patch that sets PodScheduled to False. The UID is named, so that it does not hit
// another pod of the same name.
func conditionPatch(pod *corev1.Pod, message string, now time.Time) ([]byte, error) {
	condition := map[string]any{
		"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
	}
	changed := true
	for _, c := range pod.GetStatus().GetConditions() {
		if c.GetType() == "PodScheduled" && c.GetStatus() == "False" {
			changed = false
		}
	}
	if changed {
		condition["lastTransitionTime"] = now.UTC().Format(time.RFC3339)
	}
	return json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.GetMetadata().GetUid()},
		"status":   map[string]any{"conditions": []any{condition}},
	})
}

func equalLabels(a, b *corev1.Pod) bool {
	return maps.Equal(a.GetMetadata().GetLabels(), b.GetMetadata().GetLabels())
}
