package runtime

// Labels that drivers put on what they make, so that a later kubelet knows it again. The names are those that
// Kubernetes' node agents use, so that other tools of the node understand them too.
const (
	LabelPodUID        = "io.kubernetes.pod.uid"
	LabelPodName       = "io.kubernetes.pod.name"
	LabelPodNamespace  = "io.kubernetes.pod.namespace"
	LabelContainerName = "io.kubernetes.container.name"
	LabelNode          = "keelson.dev/node"
	LabelAttempt       = "keelson.dev/attempt"
	LabelSpecHash      = "keelson.dev/spec-hash"
	LabelImage         = "keelson.dev/image"
	LabelImageID       = "keelson.dev/image-id"
	LabelLogPath       = "keelson.dev/log-path"
	LabelGraceSeconds  = "keelson.dev/grace-seconds"
	LabelStdin         = "keelson.dev/stdin"
	LabelExitCode      = "keelson.dev/exit-code"
	LabelExitReason    = "keelson.dev/exit-reason"
	LabelExitMessage   = "keelson.dev/exit-message"
	LabelFinishedAt    = "keelson.dev/finished-at"
	LabelStartedAt     = "keelson.dev/started-at"
)
