package main

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	sitev1 "github.com/keelson/keelson/deploy/ecosystem/api/v1"
)

// finalizer holds a site until its record outside of its owned objects is removed.
const finalizer = "web.example.com/record"

type reconciler struct {
	client.Client
	events events.EventRecorder
}

func (r *reconciler) setup(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).For(&sitev1.Site{}).Owns(&appsv1.Deployment{}).Owns(&corev1.ConfigMap{}).Complete(r)
}

// Reconcile implements reconcile.Reconciler.
func (r *reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var site sitev1.Site
	if err := r.Get(ctx, req.NamespacedName, &site); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	record := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "record-" + site.Namespace + "-" + site.Name}}
	if !site.DeletionTimestamp.IsZero() {
		if err := client.IgnoreNotFound(r.Delete(ctx, record)); err != nil {
			return ctrl.Result{}, err
		}
		if controllerutil.RemoveFinalizer(&site, finalizer) {
			return ctrl.Result{}, r.Update(ctx, &site)
		}
		return ctrl.Result{}, nil
	}
	if controllerutil.AddFinalizer(&site, finalizer) {
		if err := r.Update(ctx, &site); err != nil {
			return ctrl.Result{}, err
		}
	}
	if _, err := controllerutil.CreateOrUpdate(ctx, r.Client, record, func() error {
		record.Data = map[string]string{"site": string(site.UID)}
		return nil
	}); err != nil {
		return ctrl.Result{}, err
	}
	deployment, err := r.deploy(ctx, &site)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.report(ctx, &site, deployment)
}

// deploy makes the objects that the site owns what it asks for.
func (r *reconciler) deploy(ctx context.Context, site *sitev1.Site) (*appsv1.Deployment, error) {
	page := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: site.Namespace, Name: site.Name}}
	if _, err := controllerutil.CreateOrPatch(ctx, r.Client, page, func() error {
		page.Data = map[string]string{"index.html": site.Spec.Page}
		return controllerutil.SetControllerReference(site, page, r.Scheme())
	}); err != nil {
		return nil, err
	}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: site.Namespace, Name: site.Name}}
	_, err := controllerutil.CreateOrUpdate(ctx, r.Client, d, func() error {
		labels := map[string]string{"site": site.Name}
		d.Spec.Replicas = site.Spec.Replicas
		d.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
		d.Spec.Template.Labels = labels
		if len(d.Spec.Template.Spec.Containers) == 0 {
			d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "web"}}
		}
		d.Spec.Template.Spec.TerminationGracePeriodSeconds = new(int64(0))
		c := &d.Spec.Template.Spec.Containers[0]
		c.Image, c.Command = site.Spec.Image, []string{"httpd", "-f", "-p", "8080", "-h", "/page"}
		c.VolumeMounts = []corev1.VolumeMount{{Name: "page", MountPath: "/page"}}
		d.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "page", VolumeSource: corev1.VolumeSource{
			ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: site.Name}, DefaultMode: new(int32(0o644))}}}}
		return controllerutil.SetControllerReference(site, d, r.Scheme())
	})
	return d, err
}

// report writes the status where it has changed.
func (r *reconciler) report(ctx context.Context, site *sitev1.Site, d *appsv1.Deployment) error {
	before := site.DeepCopyObject().(*sitev1.Site)
	site.Status.ReadyReplicas, site.Status.Selector = d.Status.ReadyReplicas, "site="+site.Name
	status, reason := metav1.ConditionFalse, "Waiting"
	if site.Ready(d) {
		status, reason = metav1.ConditionTrue, "AllReplicasReady"
	}
	changed := meta.SetStatusCondition(&site.Status.Conditions, metav1.Condition{Type: "Ready", Status: status, Reason: reason, ObservedGeneration: site.Generation})
	if changed && status == metav1.ConditionTrue {
		r.events.Eventf(site, nil, corev1.EventTypeNormal, reason, "Report", "%d replicas show the page", d.Status.ReadyReplicas)
	}
	if !changed && before.Status.ReadyReplicas == site.Status.ReadyReplicas && before.Status.Selector == site.Status.Selector {
		return nil
	}
	return r.Status().Patch(ctx, site, client.MergeFrom(before))
}
