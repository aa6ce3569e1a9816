// Package plugins holds the admission plugins that are always on, under Kubernetes' names.
package plugins

import "github.com/keelson/keelson/proto/pipeline/admission"
import "github.com/keelson/keelson/proto/pipeline/strategy"

// Default returns the plugins in the order in which they run.
func Default(access strategy.Access, may MaySign) []admission.Plugin {
	return []admission.Plugin{
		&NamespaceLifecycle{Access: access},
		&LimitRanger{Access: access},
		&ServiceAccount{Access: access},
		&Priority{Access: access},
		DefaultTolerationSeconds{},
		TaintNodesByCondition{},
		&DefaultStorageClass{Access: access},
		&RuntimeClass{Access: access},
		&Signers{May: may},
		CertificateSubjectRestriction{},
		&DefaultIngressClass{Access: access},
		&PodTopologyLabels{Access: access},
		Warnings{},
		&ResourceQuota{Access: access},
	}
}
