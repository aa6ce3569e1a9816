package deployment

// Annotations and labels that kubectl and other tools read.
const (
	labelHash = "pod-template-hash"

	annotationRevision        = "deployment.kubernetes.io/revision"
	annotationRevisionHistory = "deployment.kubernetes.io/revision-history"
	annotationDesired         = "deployment.kubernetes.io/desired-replicas"
	annotationMax             = "deployment.kubernetes.io/max-replicas"
	annotationLastApplied     = "kubectl.kubernetes.io/last-applied-configuration"
	annotationRollbackTo      = "deprecated.deployment.rollback.to"
)

// Strategies.
const (
	strategyRecreate = "Recreate"
)

// Conditions, their values and reasons.
const (
	conditionAvailable      = "Available"
	conditionProgressing    = "Progressing"
	conditionReplicaFailure = "ReplicaFailure"

	statusTrue    = "True"
	statusFalse   = "False"
	statusUnknown = "Unknown"

	reasonAvailable        = "MinimumReplicasAvailable"
	reasonUnavailable      = "MinimumReplicasUnavailable"
	reasonNewReplicaSet    = "NewReplicaSetCreated"
	reasonFoundReplicaSet  = "FoundNewReplicaSet"
	reasonFailedCreate     = "ReplicaSetCreateError"
	reasonUpdated          = "ReplicaSetUpdated"
	reasonComplete         = "NewReplicaSetAvailable"
	reasonDeadlineExceeded = "ProgressDeadlineExceeded"
	reasonPaused           = "DeploymentPaused"
	reasonResumed          = "DeploymentResumed"
)
