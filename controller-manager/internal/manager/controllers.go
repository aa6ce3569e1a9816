package manager

import (
	"github.com/keelson/keelson/controller-manager/internal/controller"
	"github.com/keelson/keelson/controller-manager/internal/controllers/certificates"
	"github.com/keelson/keelson/controller-manager/internal/controllers/cronjob"
	"github.com/keelson/keelson/controller-manager/internal/controllers/daemonset"
	"github.com/keelson/keelson/controller-manager/internal/controllers/deployment"
	"github.com/keelson/keelson/controller-manager/internal/controllers/disruption"
	"github.com/keelson/keelson/controller-manager/internal/controllers/endpoints"
	"github.com/keelson/keelson/controller-manager/internal/controllers/endpointslice"
	"github.com/keelson/keelson/controller-manager/internal/controllers/garbagecollector"
	"github.com/keelson/keelson/controller-manager/internal/controllers/job"
	"github.com/keelson/keelson/controller-manager/internal/controllers/namespace"
	"github.com/keelson/keelson/controller-manager/internal/controllers/nodeipam"
	"github.com/keelson/keelson/controller-manager/internal/controllers/nodelifecycle"
	"github.com/keelson/keelson/controller-manager/internal/controllers/podgc"
	"github.com/keelson/keelson/controller-manager/internal/controllers/replicaset"
	"github.com/keelson/keelson/controller-manager/internal/controllers/resourcequota"
	"github.com/keelson/keelson/controller-manager/internal/controllers/rootca"
	"github.com/keelson/keelson/controller-manager/internal/controllers/serviceaccount"
	"github.com/keelson/keelson/controller-manager/internal/controllers/statefulset"
	"github.com/keelson/keelson/controller-manager/internal/controllers/tainteviction"
	"github.com/keelson/keelson/controller-manager/internal/controllers/ttlafterfinished"
)

// initializer makes one controller; adding a controller is one more line in initializers.
type initializer struct {
	name string
	make func(*controller.Env, Config) controller.Controller
}

var initializers = []initializer{
	{deployment.Name, func(e *controller.Env, _ Config) controller.Controller { return deployment.New(e) }},
	{replicaset.Name, func(e *controller.Env, _ Config) controller.Controller { return replicaset.New(e) }},
	{replicaset.ReplicationName, func(e *controller.Env, _ Config) controller.Controller { return replicaset.NewReplication(e) }},
	{statefulset.Name, func(e *controller.Env, _ Config) controller.Controller { return statefulset.New(e) }},
	{daemonset.Name, func(e *controller.Env, _ Config) controller.Controller { return daemonset.New(e) }},
	{resourcequota.Name, func(e *controller.Env, _ Config) controller.Controller { return resourcequota.New(e) }},
	{certificates.Name, func(e *controller.Env, _ Config) controller.Controller { return certificates.New(e) }},
	{disruption.Name, func(e *controller.Env, _ Config) controller.Controller { return disruption.New(e) }},
	{job.Name, func(e *controller.Env, _ Config) controller.Controller { return job.New(e) }},
	{cronjob.Name, func(e *controller.Env, _ Config) controller.Controller { return cronjob.New(e) }},
	{ttlafterfinished.Name, func(e *controller.Env, _ Config) controller.Controller { return ttlafterfinished.New(e) }},
	{endpointslice.Name, func(e *controller.Env, _ Config) controller.Controller { return endpointslice.New(e) }},
	{endpoints.Name, func(e *controller.Env, _ Config) controller.Controller { return endpoints.New(e) }},
	{garbagecollector.Name, func(e *controller.Env, _ Config) controller.Controller { return garbagecollector.New(e) }},
	{namespace.Name, func(e *controller.Env, _ Config) controller.Controller { return namespace.New(e) }},
	{nodelifecycle.Name, func(e *controller.Env, c Config) controller.Controller {
		return nodelifecycle.New(e, c.NodeMonitorGracePeriod, c.Pace)
	}},
	{tainteviction.Name, func(e *controller.Env, _ Config) controller.Controller { return tainteviction.New(e) }},
	{nodeipam.Name, func(e *controller.Env, c Config) controller.Controller { return nodeipam.New(e, c.NodeRanges) }},
	{podgc.Name, func(e *controller.Env, c Config) controller.Controller { return podgc.New(e, c.TerminatedPods) }},
	{serviceaccount.Name, func(e *controller.Env, _ Config) controller.Controller { return serviceaccount.New(e) }},
	{rootca.Name, func(e *controller.Env, c Config) controller.Controller { return rootca.New(e, c.RootCA) }},
}

// Names lists all controllers in the order in which they start.
func Names() []string {
	out := make([]string, len(initializers))
	for i, in := range initializers {
		out[i] = in.name
	}
	return out
}
