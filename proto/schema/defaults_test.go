package schema_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/keelson/keelson/proto/schema"
)

func TestDefaults(t *testing.T) {
	for _, c := range []struct{ name, group, plural, in, want string }{
		{"pod", "", "pods", `metadata{name:"p"} spec{containers{name:"a" image:"x" livenessProbe{handler{httpGet{port{intVal:80}}}}
			resources{limits{key:"cpu" value{string:"1"}}}} volumes{name:"v"}}`,
			`metadata{name:"p"} spec{containers{name:"a" image:"x" imagePullPolicy:"Always" terminationMessagePath:"/dev/termination-log"
			terminationMessagePolicy:"File" livenessProbe{handler{httpGet{port{intVal:80} path:"/" scheme:"HTTP"}} timeoutSeconds:1
			periodSeconds:10 successThreshold:1 failureThreshold:3} resources{limits{key:"cpu" value{string:"1"}}
			requests{key:"cpu" value{string:"1"}}}} volumes{name:"v" volumeSource{emptyDir{}}} restartPolicy:"Always"
			dnsPolicy:"ClusterFirst" securityContext{} terminationGracePeriodSeconds:30 schedulerName:"default-scheduler"
			enableServiceLinks:true}`},
		{"deployment", "apps", "deployments", `spec{template{spec{containers{name:"a" image:"x:1"}}}}`,
			`spec{replicas:1 revisionHistoryLimit:10 progressDeadlineSeconds:600 strategy{type:"RollingUpdate" rollingUpdate{
			maxUnavailable{type:1 strVal:"25%"} maxSurge{type:1 strVal:"25%"}}} template{spec{containers{name:"a" image:"x:1"
			imagePullPolicy:"IfNotPresent" terminationMessagePath:"/dev/termination-log" terminationMessagePolicy:"File"}
			restartPolicy:"Always" dnsPolicy:"ClusterFirst" securityContext{} terminationGracePeriodSeconds:30
			schedulerName:"default-scheduler"}}}`},
		{"recreate", "apps", "deployments", `spec{strategy{type:"Recreate"} template{spec{}}}`,
			`spec{replicas:1 revisionHistoryLimit:10 progressDeadlineSeconds:600 strategy{type:"Recreate"} template{spec{
			restartPolicy:"Always" dnsPolicy:"ClusterFirst" securityContext{} terminationGracePeriodSeconds:30
			schedulerName:"default-scheduler"}}}`},
		{"service", "", "services", `spec{ports{port:80}}`, `spec{ports{port:80 protocol:"TCP" targetPort{intVal:80}} type:"ClusterIP"
			sessionAffinity:"None" internalTrafficPolicy:"Cluster"}`},
		{"node port", "", "services", `spec{type:"NodePort" sessionAffinity:"ClientIP" ports{port:80 protocol:"UDP" targetPort{type:1 strVal:"x"}}}`,
			`spec{ports{port:80 protocol:"UDP" targetPort{type:1 strVal:"x"}} type:"NodePort" sessionAffinity:"ClientIP"
			sessionAffinityConfig{clientIP{timeoutSeconds:10800}} internalTrafficPolicy:"Cluster" externalTrafficPolicy:"Cluster"}`},
		{"secret", "", "secrets", `stringData{key:"a" value:"b"}`, `data{key:"a" value:"b"} type:"Opaque"`},
		{"namespace", "", "namespaces", `metadata{name:"n"}`, `metadata{name:"n" labels{key:"kubernetes.io/metadata.name" value:"n"}} status{phase:"Active"}`},
		{"role binding", "rbac.authorization.k8s.io", "rolebindings", `subjects{kind:"User" name:"u"} roleRef{kind:"Role" name:"r"}`,
			`subjects{kind:"User" name:"u" apiGroup:"rbac.authorization.k8s.io"} roleRef{kind:"Role" name:"r" apiGroup:"rbac.authorization.k8s.io"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, ok := schema.Builtin().ByResource(c.group, "", c.plural)
			if !ok {
				t.Fatal("no such kind")
			}
			obj, want := k.New(), k.New()
			for text, m := range map[string]proto.Message{c.in: obj, c.want: want} {
				if err := prototext.Unmarshal([]byte(text), m); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // idempotent
				k.Default(obj)
				if diff := cmp.Diff(want, obj, protocmp.Transform()); diff != "" {
					t.Fatalf("-want +got\n%s", diff)
				}
			}
		})
	}
}
