package podstream

import (
	"fmt"
	"strings"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

// container finds the container that is meant: the named one, or the only one.
func container(pod *corev1.Pod, name string) (string, error) {
	podName := pod.GetMetadata().GetName()
	var regular, initial, ephemeral []string
	for _, c := range pod.GetSpec().GetContainers() {
		regular = append(regular, c.GetName())
	}
	for _, c := range pod.GetSpec().GetInitContainers() {
		initial = append(initial, c.GetName())
	}
	for _, c := range pod.GetSpec().GetEphemeralContainers() {
		ephemeral = append(ephemeral, c.GetEphemeralContainerCommon().GetName())
	}
	if name != "" {
		for _, list := range [][]string{regular, initial, ephemeral} {
			for _, c := range list {
				if c == name {
					return name, nil
				}
			}
		}
		return "", apierrors.NewBadRequest(fmt.Sprintf("container %s is not valid for pod %s", name, podName))
	}
	switch len(regular) {
	case 1:
		return regular[0], nil
	case 0:
		return "", apierrors.NewBadRequest(fmt.Sprintf("a container name must be specified for pod %s", podName))
	}
	message := fmt.Sprintf("a container name must be specified for pod %s, choose one of: [%s]", podName, strings.Join(regular, " "))
	if len(initial) > 0 {
		message += fmt.Sprintf(" or one of the init containers: [%s]", strings.Join(initial, " "))
	}
	if len(ephemeral) > 0 {
		message += fmt.Sprintf(" or one of the ephemeral containers: [%s]", strings.Join(ephemeral, " "))
	}
	return "", apierrors.NewBadRequest(message)
}
