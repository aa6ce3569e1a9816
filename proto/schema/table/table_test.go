package table

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/keelson/keelson/proto/schema"
	"github.com/keelson/keelson/proto/schema/randmsg"
)

// now is 100 days after 1970 began.
var now = time.Unix(100*24*3600, 0)

func TestCells(t *testing.T) {
	const meta = `metadata{name:"x" creationTimestamp{seconds:8639400}} `
	for _, c := range []struct{ name, group, plural, in, want string }{
		{"pod pending", "", "pods", `spec{containers{name:"a"}} status{phase:"Pending"}`, "x|0/1|Pending|0|10m|<none>|<none>|<none>|<none>"},
		{"pod running", "", "pods", `spec{nodeName:"n" containers{name:"a"} containers{name:"b"}} status{phase:"Running" podIPs{ip:"10.0.0.1"}
			containerStatuses{name:"a" ready:true state{running{}} restartCount:2 lastState{terminated{finishedAt{seconds:8639880}}}}
			containerStatuses{name:"b" ready:true state{running{}}}}`, "x|2/2|Running|2 (2m ago)|10m|10.0.0.1|n|<none>|<none>"},
		{"crash loop", "", "pods", `spec{containers{name:"a"}} status{phase:"Running" containerStatuses{name:"a" restartCount:3 state{waiting{reason:"CrashLoopBackOff"}}}}`,
			"x|0/1|CrashLoopBackOff|3|10m|<none>|<none>|<none>|<none>"},
		{"init", "", "pods", `spec{initContainers{name:"i"} initContainers{name:"j"} containers{name:"a"}} status{phase:"Pending"
			initContainerStatuses{name:"i" state{terminated{exitCode:0}}} initContainerStatuses{name:"j" state{running{}}}
			containerStatuses{name:"a" state{waiting{reason:"PodInitializing"}}}}`, "x|0/1|Init:1/2|0|10m|<none>|<none>|<none>|<none>"},
		{"init failed", "", "pods", `spec{initContainers{name:"i"} containers{name:"a"}} status{phase:"Pending"
			initContainerStatuses{name:"i" restartCount:1 state{terminated{exitCode:3}}}}`, "x|0/1|Init:ExitCode:3|1|10m|<none>|<none>|<none>|<none>"},
		{"sidecar", "", "pods", `spec{initContainers{name:"i" restartPolicy:"Always"} containers{name:"a"}} status{phase:"Running"
			initContainerStatuses{name:"i" started:true ready:true state{running{}}} containerStatuses{name:"a" ready:true state{running{}}}}`,
			"x|2/2|Running|0|10m|<none>|<none>|<none>|<none>"},
		{"completed", "", "pods", `spec{containers{name:"a"}} status{phase:"Succeeded" containerStatuses{name:"a" state{terminated{reason:"Completed"}}}}`,
			"x|0/1|Completed|0|10m|<none>|<none>|<none>|<none>"},
		{"signal", "", "pods", `spec{containers{name:"a"}} status{phase:"Failed" containerStatuses{name:"a" state{terminated{signal:9}}}}`,
			"x|0/1|Signal:9|0|10m|<none>|<none>|<none>|<none>"},
		{"terminating", "", "pods", `metadata{deletionTimestamp{seconds:8639900}} spec{containers{name:"a"}} status{phase:"Running"
			containerStatuses{name:"a" ready:true state{running{}}}}`, "x|1/1|Terminating|0|10m|<none>|<none>|<none>|<none>"},
		{"lost", "", "pods", `metadata{deletionTimestamp{seconds:8639900}} spec{containers{name:"a"}} status{phase:"Running" reason:"NodeLost"}`,
			"x|0/1|Unknown|0|10m|<none>|<none>|<none>|<none>"},
		{"gates", "", "pods", `spec{containers{name:"a"} readinessGates{conditionType:"g"} readinessGates{conditionType:"h"}} status{phase:"Running"
			conditions{type:"g" status:"True"}}`, "x|0/1|Running|0|10m|<none>|<none>|<none>|1/2"},
		{"scheduling gates", "", "pods", `spec{containers{name:"a"}} status{phase:"Pending" conditions{type:"PodScheduled" status:"False" reason:"SchedulingGated"}}`,
			"x|0/1|SchedulingGated|0|10m|<none>|<none>|<none>|<none>"},
		{"half completed", "", "pods", `spec{containers{name:"a"} containers{name:"b"}} status{phase:"Running"
			containerStatuses{name:"a" state{terminated{reason:"Completed"}}} containerStatuses{name:"b" ready:true state{running{}}}}`,
			"x|1/2|NotReady|0|10m|<none>|<none>|<none>|<none>"},
		{"half completed and ready", "", "pods", `spec{containers{name:"a"} containers{name:"b"}} status{phase:"Running" conditions{type:"Ready" status:"True"}
			containerStatuses{name:"a" state{terminated{reason:"Completed"}}} containerStatuses{name:"b" ready:true state{running{}}}}`,
			"x|1/2|Running|0|10m|<none>|<none>|<none>|<none>"},
		{"completed and failed", "", "pods", `spec{containers{name:"a"} containers{name:"b"}} status{phase:"Failed"
			containerStatuses{name:"a" state{terminated{reason:"Completed"}}} containerStatuses{name:"b" state{terminated{reason:"Error" exitCode:1}}}}`,
			"x|0/2|Error|0|10m|<none>|<none>|<none>|<none>"},
		{"completed, failed and running", "", "pods", `spec{containers{name:"a"} containers{name:"b"} containers{name:"c"}} status{phase:"Running"
			containerStatuses{name:"a" state{terminated{reason:"Completed"}}} containerStatuses{name:"b" state{terminated{exitCode:3}}}
			containerStatuses{name:"c" ready:true state{running{}}}}`, "x|1/3|ExitCode:3|0|10m|<none>|<none>|<none>|<none>"},
		{"evicted", "", "pods", `spec{containers{name:"a"}} status{phase:"Failed" reason:"Evicted"}`, "x|0/1|Evicted|0|10m|<none>|<none>|<none>|<none>"},
		{"deployment", "apps", "deployments", `spec{replicas:3 selector{matchLabels{key:"app" value:"w"}} template{spec{containers{name:"a" image:"i"}
			containers{name:"b" image:"j"}}}} status{readyReplicas:1 updatedReplicas:2 availableReplicas:1}`, "x|1/3|2|1|10m|a,b|i,j|app=w"},
		{"replica set", "apps", "replicasets", `spec{replicas:3 selector{matchExpressions{key:"t" operator:"In" values:"b" values:"a"} matchLabels{key:"a" value:"1"}}}
			status{replicas:2 readyReplicas:1}`, "x|3|2|1|10m|||a=1,t in (a,b)"},
		{"service", "", "services", `spec{type:"ClusterIP" clusterIPs:"10.96.0.1" ports{port:80 protocol:"TCP"} ports{port:53 protocol:"UDP"}
			selector{key:"a" value:"1"}}`, "x|ClusterIP|10.96.0.1|<none>|80/TCP,53/UDP|10m|a=1"},
		{"node port", "", "services", `spec{type:"NodePort" clusterIPs:"10.96.0.1" ports{port:80 protocol:"TCP" nodePort:30001}}`,
			"x|NodePort|10.96.0.1|<none>|80:30001/TCP|10m|<none>"},
		{"headless", "", "services", `spec{type:"ClusterIP" clusterIP:"None" clusterIPs:"None"}`, "x|ClusterIP|None|<none>|<none>|10m|<none>"},
		{"load balancer", "", "services", `spec{type:"LoadBalancer"}`, "x|LoadBalancer|<none>|<pending>|<none>|10m|<none>"},
		{"external name", "", "services", `spec{type:"ExternalName" externalName:"example.org"}`, "x|ExternalName|<none>|example.org|<none>|10m|<none>"},
		{"endpoints", "", "endpoints", `subsets{addresses{ip:"1.1.1.1"} addresses{ip:"1.1.1.2"} ports{port:80} ports{port:81}}`,
			"x|1.1.1.1:80,1.1.1.2:80,1.1.1.1:81 + 1 more...|10m"},
		{"endpoints that are not ready", "", "endpoints", `subsets{notReadyAddresses{ip:"1.1.1.1"} ports{port:80}}`, "x||10m"},
		{"no endpoints", "", "endpoints", ``, "x|<none>|10m"},
		{"slice of all ports", "discovery.k8s.io", "endpointslices", `addressType:"IPv4" ports{name:""}`, "x|IPv4|<unset>|<unset>|10m"},
		{"slice", "discovery.k8s.io", "endpointslices", `addressType:"IPv4" ports{port:80}`, "x|IPv4|80|<unset>|10m"},
		{"storage class", "storage.k8s.io", "storageclasses", `metadata{annotations{key:"storageclass.kubernetes.io/is-default-class" value:"true"}}
			provisioner:"p" reclaimPolicy:"Delete" volumeBindingMode:"Immediate"`, "x|p|Delete|Immediate|false|10m"},
		{"default ingress class", "networking.k8s.io", "ingressclasses", `metadata{annotations{key:"ingressclass.kubernetes.io/is-default-class" value:"true"}}
			spec{controller:"c"}`, "x (default)|c|<none>|10m"},
		{"ingress", "networking.k8s.io", "ingresses", `spec{rules{host:"a.example.com"}} status{loadBalancer{ingress{hostname:"a-long-name.example.com"} ingress{ip:"1.1.1.1"}}}`,
			"x|<none>|a.example.com|1.1.1.1,a-long-name.example.com|80|10m"},
		{"policy binding", "admissionregistration.k8s.io", "validatingadmissionpolicybindings", `spec{policyName:"p" paramRef{name:"n"}}`, "x|p|*/n|10m"},
		{"policy binding by labels", "admissionregistration.k8s.io", "validatingadmissionpolicybindings",
			`spec{policyName:"p" paramRef{namespace:"s" selector{matchLabels{key:"a" value:"1"}}}}`, "x|p|a=1|10m"},
		{"node", "", "nodes", `metadata{labels{key:"node-role.kubernetes.io/worker"} labels{key:"node-role.kubernetes.io/control-plane"}} spec{unschedulable:true}
			status{conditions{type:"Ready" status:"True"} nodeInfo{kubeletVersion:"v1" kernelVersion:"6.1" architecture:"amd64"} addresses{type:"InternalIP" address:"10.1.1.1"}}`,
			"x|Ready,SchedulingDisabled|control-plane,worker|10m|v1|10.1.1.1|<none>|<unknown>|6.1 (amd64)|<unknown>"},
		{"namespace", "", "namespaces", `status{phase:"Active"}`, "x|Active|10m"},
		{"secret", "", "secrets", `type:"Opaque" data{key:"a" value:"b"}`, "x|Opaque|1|10m"},
		{"config map", "", "configmaps", `data{key:"a"} binaryData{key:"b"}`, "x|2|10m"},
		{"service account", "", "serviceaccounts", ``, "x|10m"},
		{"lease", "coordination.k8s.io", "leases", `spec{holderIdentity:"h"}`, "x|h|10m"},
		{"priority class", "scheduling.k8s.io", "priorityclasses", `value:5 preemptionPolicy:"Never"`, "x|5|false|10m|Never"},
		{"role", "rbac.authorization.k8s.io", "roles", ``, "x|1970-04-10T23:50:00Z"},
		{"cluster role binding", "rbac.authorization.k8s.io", "clusterrolebindings", `roleRef{kind:"ClusterRole" name:"r"} subjects{kind:"User" name:"u"}
			subjects{kind:"ServiceAccount" namespace:"n" name:"s"}`, "x|ClusterRole/r|10m|u||n/s"},
		{"event", "", "events", `involvedObject{kind:"Pod" name:"p"} reason:"Started" message:"m\n" type:"Normal" source{component:"kubelet" host:"n"}
			firstTimestamp{seconds:8639700} lastTimestamp{seconds:8639940} count:4`, "60s|Normal|Started|pod/p||kubelet, n|m|5m|4|x"},
		{"revision", "apps", "controllerrevisions", `metadata{ownerReferences{apiVersion:"apps/v1" kind:"DaemonSet" name:"d" controller:true}} revision:3`,
			"x|daemonset.apps/d|3|10m"},
		{"definition", "apiextensions.k8s.io", "customresourcedefinitions", `spec{group:"g" scope:"Namespaced" names{kind:"K" shortNames:"k" shortNames:"kk"}
			versions{name:"v2" served:true storage:true} versions{name:"v1" served:true} versions{name:"v0"}} status{conditions{type:"Established" status:"True"}}`,
			"x|Namespaced|v1,v2(storage)|1970-04-10T23:50:00Z|g|K|k,kk|true"},
		{"no columns", "", "limitranges", ``, "x|1970-04-10T23:50:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, ok := schema.Builtin().ByResource(c.group, "", c.plural)
			if !ok {
				t.Fatal("no such kind")
			}
			obj := k.New()
			if err := prototext.Unmarshal([]byte(meta+c.in), obj); err != nil && !strings.HasPrefix(c.in, "metadata") {
				t.Fatal(err)
			} else if err != nil { // the case has metadata of its own
				in := strings.Replace(c.in, "metadata{", strings.TrimSuffix(strings.TrimSpace(meta), "}")+" ", 1)
				if err := prototext.Unmarshal([]byte(in), obj); err != nil {
					t.Fatal(err)
				}
			}
			if Reads(k) != nil {
				samePart(t, k, obj)
			}
			cells := Cells(k, obj, now)
			if got, want := len(cells), len(Columns(k)); got != want {
				t.Errorf("%d cells for %d columns", got, want)
			}
			var text []string
			for _, cell := range cells {
				text = append(text, strings.Trim(strings.ReplaceAll(toText(cell), "\n", "\\n"), " "))
			}
			if diff := cmp.Diff(c.want, strings.Join(text, "|")); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// Every kind's cells fit its columns, whatever the object holds.
func TestCellsOfAnything(t *testing.T) {
	for _, k := range schema.Builtin().Kinds() {
		for seed := range uint64(5) {
			obj := k.New()
			if seed > 0 {
				randmsg.Fill(rand.New(rand.NewPCG(seed, 1)), obj.ProtoReflect(), float64(seed)/5, 9)
			}
			if got, want := len(Cells(k, obj, now)), len(Columns(k)); got != want {
				t.Errorf("%s: %d cells for %d columns", k.Kind, got, want)
			}
		}
	}
}

func toText(cell any) string { return fmt.Sprint(cell) }
