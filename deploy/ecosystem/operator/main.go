// Command operator is an ordinary operator on controller-runtime, as people write them for Kubernetes: a custom kind in two versions,
// defaulting, validating and conversion webhooks, a finalizer, owned objects, conditions, events and leader election.
package main

import (
	"flag"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/webhook"

	sitev1 "github.com/keelson/keelson/deploy/ecosystem/api/v1"
	sitev1beta1 "github.com/keelson/keelson/deploy/ecosystem/api/v1beta1"
)

func main() {
	certDir := flag.String("cert-dir", "", "directory with tls.crt and tls.key of the webhooks")
	port := flag.Int("webhook-port", 9443, "port of the webhooks")
	probes := flag.String("health-probe-bind-address", ":8081", "address of /readyz")
	namespace := flag.String("leader-election-namespace", "default", "namespace of the lease")
	flag.Parse()
	ctrl.SetLogger(zap.New())
	if err := run(*certDir, *port, *probes, *namespace); err != nil {
		ctrl.Log.Error(err, "the operator ended")
		os.Exit(1)
	}
}

func run(certDir string, port int, probes, namespace string) error {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, sitev1.AddToScheme, sitev1beta1.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	cfg, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: scheme, HealthProbeBindAddress: probes, Metrics: metricsserver.Options{BindAddress: "0"},
		WebhookServer:  webhook.NewServer(webhook.Options{CertDir: certDir, Port: port}),
		LeaderElection: true, LeaderElectionID: "sites.web.example.com", LeaderElectionNamespace: namespace,
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return err
	}
	r := &reconciler{Client: mgr.GetClient(), events: mgr.GetEventRecorder("site-operator")}
	if err := r.setup(mgr); err != nil {
		return err
	}
	if err := setupWebhooks(mgr); err != nil {
		return err
	}
	if err := mgr.AddReadyzCheck("webhook", mgr.GetWebhookServer().StartedChecker()); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	return mgr.Start(ctrl.SetupSignalHandler())
}
