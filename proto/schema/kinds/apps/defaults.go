package apps

import (
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
)

func percent(text string) *metav1.IntOrString { return &metav1.IntOrString{Type: 1, StrVal: text} }

func number(n int32) *metav1.IntOrString { return &metav1.IntOrString{IntVal: n} }

func defaultStrategy(s *appsv1.DeploymentStrategy) {
	if s.Type == "RollingUpdate" && s.RollingUpdate == nil {
		s.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxUnavailable: percent("25%"), MaxSurge: percent("25%")}
	}
}

func defaultDaemonStrategy(s *appsv1.DaemonSetUpdateStrategy) {
	if s.Type == "RollingUpdate" && s.RollingUpdate == nil {
		s.RollingUpdate = &appsv1.RollingUpdateDaemonSet{MaxUnavailable: number(1), MaxSurge: number(0)}
	}
}

func defaultStatefulStrategy(s *appsv1.StatefulSetUpdateStrategy) {
	// A type that a user names brings no settings along.
	if s.Type == "" {
		s.Type = "RollingUpdate"
		if s.RollingUpdate == nil {
			s.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{}
		}
	}
}
