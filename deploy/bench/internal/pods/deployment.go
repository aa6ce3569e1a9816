package pods

import "fmt"

// Deployment is the configuration of a Deployment as a person applies it; the image's tag tells versions apart.
func Deployment(namespace, name, tag string) []byte {
	return fmt.Appendf(nil, `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"namespace":%[1]q,"name":%[2]q,"labels":{"app":%[2]q,"team":"web"}},
"spec":{"replicas":3,"selector":{"matchLabels":{"app":%[2]q}},"strategy":{"rollingUpdate":{"maxSurge":1,"maxUnavailable":0}},
"template":{"metadata":{"labels":{"app":%[2]q}},"spec":{"containers":[{"name":"web","image":"registry.example.com/web:%[3]s","args":["--listen=:8080"],
"env":[{"name":"MODE","value":"production"},{"name":"NAMESPACE","valueFrom":{"fieldRef":{"fieldPath":"metadata.namespace"}}}],
"ports":[{"name":"http","containerPort":8080}],"resources":{"requests":{"cpu":"100m","memory":"128Mi"},"limits":{"memory":"256Mi"}},
"readinessProbe":{"httpGet":{"path":"/healthz","port":"http"},"periodSeconds":5},"volumeMounts":[{"name":"config","mountPath":"/etc/web"}]}],
"volumes":[{"name":"config","configMap":{"name":"web"}}]}}}}`, namespace, name, tag)
}
