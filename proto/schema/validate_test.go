package schema_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/keelson/keelson/proto/codec"
	appsv1 "github.com/keelson/keelson/proto/gen/keelson/apps/v1"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	"github.com/keelson/keelson/proto/schema"
)

// object reads the JSON of a test case.
func object(t *testing.T, k *schema.Kind, text string) proto.Message {
	t.Helper()
	m := k.New()
	if _, err := codec.Unmarshal([]byte(text), m, codec.DecodeOptions{Validation: codec.Strict}); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return m
}

const (
	podHead = `"metadata":{"name":"p","namespace":"d"}`
	one     = `"containers":[{"name":"a","image":"x"}]`
)

func deploy(spec string) string {
	return `{"metadata":{"name":"w","namespace":"d"},"spec":{` + spec + `}}`
}

const goodTemplate = `"selector":{"matchLabels":{"app":"w"}},"template":{"metadata":{"labels":{"app":"w"}},"spec":{` + one + `}}`

func TestValidateCreate(t *testing.T) {
	for _, c := range []struct {
		name, group, plural, in string
		want                    []string
	}{
		{"pod", "", "pods", `{` + podHead + `,"spec":{` + one + `}}`, nil},
		{"empty pod", "", "pods", `{}`, []string{"metadata.name: Required value: name or generateName is required", "metadata.namespace: Required value",
			"spec.containers: Required value"}},
		{"bad names", "", "pods", `{"metadata":{"name":"Bad_Name","namespace":"d","labels":{"a b":"c d"}},"spec":{` + one + `}}`, []string{
			`metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
			`metadata.labels: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
			`metadata.labels: Invalid value: "c d": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`}},
		{"containers", "", "pods", `{` + podHead + `,"spec":{"restartPolicy":"Sometimes","containers":[{"name":"a"},{"name":"a","image":"x","imagePullPolicy":"Now"}]}}`, []string{
			"spec.containers[0].image: Required value", `spec.containers[1].imagePullPolicy: Unsupported value: "Now": supported values: "Always", "IfNotPresent", "Never"`,
			`spec.containers[1].name: Duplicate value: "a"`, `spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"`}},
		{"mounts", "", "pods", `{` + podHead + `,"spec":{"volumes":[{"name":"v"},{"name":"v"}],"containers":[{"name":"a","image":"x","volumeMounts":[
			{"name":"v","mountPath":"/a"},{"name":"w","mountPath":"/a","subPath":"../x"},{"name":"v"}]}]}}`, []string{
			`spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/a": must be unique`, `spec.containers[0].volumeMounts[1].name: Not found: "w"`,
			`spec.containers[0].volumeMounts[1].subPath: Invalid value: "../x": must not contain '..'`, `spec.containers[0].volumeMounts[2].mountPath: Required value`,
			`spec.volumes[1].name: Duplicate value: "v"`}},
		{"volumes", "", "pods", `{` + podHead + `,"spec":{"volumes":[{"name":"v","emptyDir":{},"hostPath":{"path":"/x"}},{"name":"n","nfs":{"server":"s","path":"/"}},
			{"name":"c","configMap":{"items":[{"key":"k","path":"/abs"}]}},{"name":"s","secret":{}}],` + one + `}}`, []string{
			"spec.volumes[0].emptyDir: Forbidden: may not specify more than 1 volume type",
			"spec.volumes[1].nfs: Forbidden: not supported by Keelson yet: volumes of this type cannot be mounted",
			"spec.volumes[2].configMap.name: Required value", `spec.volumes[2].configMap.items[0].path: Invalid value: "/abs": must be a relative path`,
			"spec.volumes[3].secret.secretName: Required value"}},
		{"ports", "", "pods", `{` + podHead + `,"spec":{"containers":[{"name":"a","image":"x","ports":[{"containerPort":0},{"containerPort":70000,"protocol":"X"},
			{"containerPort":1,"hostPort":8080,"name":"UP"},{"containerPort":2,"hostPort":8080}]}]}}`, []string{
			"spec.containers[0].ports[0].containerPort: Required value", "spec.containers[0].ports[1].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
			`spec.containers[0].ports[1].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"`,
			`spec.containers[0].ports[2].name: Invalid value: "UP": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)`,
			`spec.containers[0].ports[2].name: Invalid value: "UP": must contain at least one letter (a-z)`,
			`spec.containers[0].ports[3].hostPort: Duplicate value: "TCP//8080"`}},
		{"resources", "", "pods", `{` + podHead + `,"spec":{"containers":[{"name":"a","image":"x","resources":{"limits":{"cpu":"1","memory":"-1"},"requests":{"cpu":"2","foo":"1"}}}]}}`, []string{
			`spec.containers[0].resources.limits[memory]: Invalid value: "-1": must be greater than or equal to 0`,
			`spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1`,
			`spec.containers[0].resources.requests[foo]: Invalid value: "foo": must be a standard resource for containers`,
			`spec.containers[0].resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0`}},
		{"probes", "", "pods", `{` + podHead + `,"spec":{"initContainers":[{"name":"i","image":"x","readinessProbe":{"exec":{"command":["a"]}}}],"containers":[{"name":"a","image":"x",
			"livenessProbe":{"httpGet":{"port":0},"exec":{"command":["a"]},"successThreshold":2,"periodSeconds":-1},"readinessProbe":{},"startupProbe":{"tcpSocket":{"port":"no port"}}}]}}`, []string{
			"spec.containers[0].livenessProbe.httpGet: Forbidden: may not specify more than 1 handler type",
			"spec.containers[0].livenessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive",
			"spec.containers[0].livenessProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
			"spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
			"spec.containers[0].readinessProbe: Required value: must specify a handler type",
			`spec.containers[0].startupProbe.tcpSocket.port: Invalid value: "no port": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)`,
			"spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"}},
		{"environment", "", "pods", `{` + podHead + `,"spec":{"containers":[{"name":"a","image":"x","env":[{"name":""},{"name":"a=b"},{"name":"V","value":"x","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}},
			{"name":"W","valueFrom":{"fieldRef":{"fieldPath":"spec.foo"}}},{"name":"X","valueFrom":{}}],"envFrom":[{}]}]}}`, []string{
			"spec.containers[0].env[0].name: Required value", `spec.containers[0].env[1].name: Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII characters other than '='`,
			`spec.containers[0].env[2].valueFrom: Invalid value: "": may not be specified when ` + "`value` is not empty",
			`spec.containers[0].env[3].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.foo": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"`,
			`spec.containers[0].env[4].valueFrom: Invalid value: "": must specify one of: ` + "`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
			`spec.containers[0].envFrom[0]: Invalid value: "": must specify one of: ` + "`configMapRef` or `secretRef`"}},
		{"tolerations", "", "pods", `{` + podHead + `,"spec":{"tolerations":[{"operator":"Exists"},{"effect":"No"},{"key":"a","operator":"Exists","value":"b"}],` + one + `}}`, []string{
			`spec.tolerations[1].operator: Invalid value: "": operator must be Exists when ` + "`key` is empty, which means \"match all values and all keys\"",
			`spec.tolerations[1].effect: Unsupported value: "No": supported values: "NoExecute", "NoSchedule", "PreferNoSchedule"`,
			`spec.tolerations[2].operator: Invalid value: {"key":"a","operator":"Exists","value":"b"}: value must be empty when ` + "`operator` is 'Exists'"}},
		{"deployment", "apps", "deployments", deploy(goodTemplate), nil},
		{"empty deployment", "apps", "deployments", deploy(``), []string{"spec.selector: Required value", "spec.template.spec.containers: Required value"}},
		{"negative replicas", "apps", "deployments", deploy(`"replicas":-1,` + goodTemplate), []string{"spec.replicas: Invalid value: -1: must be greater than or equal to 0"}},
		{"selector misses", "apps", "deployments", deploy(`"selector":{"matchLabels":{"app":"w"}},"template":{"metadata":{"labels":{"app":"v"}},"spec":{` + one + `}}`), []string{
			`spec.template.metadata.labels: Invalid value: {"app":"v"}: ` + "`selector` does not match template `labels`"}},
		{"empty selector", "apps", "deployments", deploy(`"selector":{},"template":{"spec":{` + one + `}}`), []string{"spec.selector: Invalid value: {}: empty selector is invalid for deployment"}},
		{"strategy", "apps", "deployments", deploy(`"strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":"0%"}},` + goodTemplate), []string{
			`spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when ` + "`maxSurge` is 0"}},
		{"recreate", "apps", "deployments", deploy(`"strategy":{"type":"Recreate","rollingUpdate":{}},` + goodTemplate), []string{
			"spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"}},
		{"template restart policy", "apps", "deployments", deploy(strings.Replace(goodTemplate, `"spec":{`, `"spec":{"restartPolicy":"Never",`, 1)), []string{
			`spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"`}},
		{"service", "", "services", `{"metadata":{"name":"s","namespace":"d"},"spec":{"ports":[{"port":80},{"port":80},{"port":0,"name":"a","nodePort":30000}]}}`, []string{
			"spec.ports[0].name: Required value", "spec.ports[1].name: Required value", `spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80,"targetPort":0}`,
			"spec.ports[2].port: Invalid value: 0: must be between 1 and 65535, inclusive", "spec.ports[2].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
			"spec.ports[2].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive"}},
		{"service without ports", "", "services", `{"metadata":{"name":"1s","namespace":"d"},"spec":{}}`, []string{
			"spec.ports: Required value"}},
		{"headless service", "", "services", `{"metadata":{"name":"s","namespace":"d"},"spec":{"clusterIP":"None"}}`, nil},
		{"config map", "", "configmaps", `{"metadata":{"name":"c","namespace":"d"},"data":{"a/b":"x","k":"v"},"binaryData":{"k":"eA=="}}`, []string{
			`data[a/b]: Invalid value: "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
			`data[k]: Invalid value: "k": duplicate of key present in binaryData`}},
		{"service of another type", "", "services", `{"metadata":{"name":"s","namespace":"d"},"spec":{"ports":[{"port":1,"appProtocol":"a b"}],"clusterIPs":["10.0.0.1"],"ipFamilies":["IPv4","IPv4"],
			"allocateLoadBalancerNodePorts":true,"loadBalancerClass":"a.b/c","healthCheckNodePort":31000}}`, []string{
			"spec.clusterIPs: Invalid value: [\"10.0.0.1\"]: must be empty when `clusterIP` is not specified", `spec.ipFamilies[1]: Duplicate value: "IPv4"`,
			"spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'", "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
			"spec.healthCheckNodePort: Invalid value: 31000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'", "*spec.ports[0].appProtocol: Invalid value: "}},
		{"pod annotations", "", "pods", `{"metadata":{"name":"p","namespace":"d","annotations":{"kubernetes.io/config.mirror":"x","controller.kubernetes.io/pod-deletion-cost":"+1"}},"spec":{"containers":[{"name":"a","image":"x"}]}}`, []string{
			`metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "x": must set spec.nodeName if mirror pod annotation is set`,
			`metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "+1": must be a 32bit integer`}},
		{"pod's kernel", "", "pods", `{"metadata":{"name":"p","namespace":"d"},"spec":{"terminationGracePeriodSeconds":-1,"securityContext":{"sysctls":[{"name":"a b"},{"name":"kernel.x"},{"name":"kernel.x"}]},
			"containers":[{"name":"a","image":"x","securityContext":{"procMount":"Unmasked"},"resources":{"limits":{"hugepages-2Mi":"3"}}}]}}`, []string{
			`spec.securityContext.sysctls[0].name: Invalid value: "a b": must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`,
			`spec.securityContext.sysctls[2].name: Duplicate value: "kernel.x"`,
			"spec.containers[0].securityContext.procMount: Invalid value: \"Unmasked\": `hostUsers` must be false to use `Unmasked`",
			`spec.containers[0].resources.limits[hugepages-2Mi]: Invalid value: "3": 3 is not positive integer multiple of hugepages-2Mi`,
			`spec.containers[0].resources.requests[hugepages-2Mi]: Invalid value: "3": 3 is not positive integer multiple of hugepages-2Mi`,
			"spec.containers[0].resources: Forbidden: HugePages require cpu or memory"}},
		{"namespace finalizer", "", "namespaces", `{"metadata":{"name":"n"},"spec":{"finalizers":["x"]}}`, []string{
			`spec.finalizers: Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified`}},
		{"event with a time", "", "events", `{"metadata":{"name":"e","namespace":"d"},"involvedObject":{"namespace":"other"},"eventTime":"2026-01-01T00:00:00.000000Z","reason":"r","reportingComponent":"a.b/c"}`, []string{
			"reportingInstance: Required value", "action: Required value"}},
		{"event of the new group", "events.k8s.io", "events", `{"metadata":{"name":"e","namespace":"d"},"regarding":{"namespace":"d"},"deprecatedCount":1,"series":{"count":1}}`, []string{
			"series.count: Invalid value: \"\": should be at least 2", "series.lastObservedTime: Required value", "eventTime: Required value", `type: Invalid value: "": has invalid value: `, `count: Invalid value: "": needs to be unset`}},
		{"access review", "authorization.k8s.io", "subjectaccessreviews", `{"metadata":{"name":"x"},"spec":{"resourceAttributes":{"fieldSelector":{},"labelSelector":{"rawSelector":"a=b","requirements":[
			{"key":"a b","operator":"New"},{"operator":"In"},{"key":"a","operator":"Exists","values":["b"]}]}}}}`, []string{
			"spec.user: Invalid value: \"\": at least one of user or group must be specified", "metadata: Invalid value: {\"name\":\"x\"}: must be empty",
			"spec.resourceAttributes.fieldSelector.requirements: Required value: when spec.resourceAttributes.fieldSelector is specified, requirements or rawSelector is required",
			`spec.resourceAttributes.labelSelector.rawSelector: Invalid value: "a=b": may not specified at the same time as requirements`,
			"*spec.resourceAttributes.labelSelector.requirements[0].key: Invalid value: ", "spec.resourceAttributes.labelSelector.requirements[1].key: Required value: must be specified",
			"spec.resourceAttributes.labelSelector.requirements[1].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
			"spec.resourceAttributes.labelSelector.requirements[2].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'"}},
		{"tls secret", "", "secrets", `{"metadata":{"name":"c","namespace":"d"},"type":"kubernetes.io/tls","data":{"tls.crt":"eA=="}}`, []string{"data[tls.key]: Required value"}},
		{"docker secret", "", "secrets", `{"metadata":{"name":"c","namespace":"d"},"type":"kubernetes.io/dockerconfigjson","stringData":{".dockerconfigjson":"{"}}`, []string{
			`data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": must be valid json`}},
		{"node", "", "nodes", `{"metadata":{"name":"n"},"spec":{"taints":[{"key":"a","effect":"NoSchedule"},{"key":"a","effect":"NoSchedule"},{"key":"b"}]}}`, []string{
			`spec.taints[1]: Duplicate value: {"key":"a","effect":"NoSchedule"}: taints must be unique by key and effect pair`, "spec.taints[2].effect: Required value"}},
		{"role", "rbac.authorization.k8s.io", "roles", `{"metadata":{"name":"r","namespace":"d"},"rules":[{"verbs":["get"]},{"apiGroups":[""],"resources":["pods"]}]}`, []string{
			"rules[0].apiGroups: Required value: resource rules must supply at least one api group", "rules[0].resources: Required value: resource rules must supply at least one resource",
			"rules[1].verbs: Required value"}},
		{"cluster role binding", "rbac.authorization.k8s.io", "clusterrolebindings", `{"metadata":{"name":"system:x"},"roleRef":{"kind":"Role","name":"r"},"subjects":[{"kind":"ServiceAccount","name":"s"},{"kind":"Robot","name":"x"}]}`, []string{
			`roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"`, "subjects[0].namespace: Required value",
			`subjects[1].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"`}},
		{"priority class", "scheduling.k8s.io", "priorityclasses", `{"metadata":{"name":"p"},"value":2000000000}`, []string{"value: Forbidden: maximum allowed value of a user defined priority is 1000000000"}},
		{"lease", "coordination.k8s.io", "leases", `{"metadata":{"name":"l","namespace":"d"},"spec":{"leaseDurationSeconds":0}}`, []string{
			"spec.leaseDurationSeconds: Invalid value: 0: must be greater than zero"}},
		{"endpoint slice", "discovery.k8s.io", "endpointslices", `{"metadata":{"name":"e","namespace":"d"},"addressType":"IPv4","endpoints":[{"addresses":["::1"]},{}]}`, []string{
			`endpoints[0].addresses[0]: Invalid value: "::1": must be a valid IPv4 address`, "endpoints[1].addresses: Required value"}},
		{"owners", "", "configmaps", `{"metadata":{"name":"c","namespace":"d","ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"a","uid":"u","controller":true},
			{"apiVersion":"a/b/c","kind":"","name":"b","uid":"u","controller":true}],"finalizers":["bad name"]}}`, []string{
			`metadata.ownerReferences[1].apiVersion: Invalid value: "a/b/c": must be <group>/<version> or <version>`,
			"metadata.ownerReferences[1].kind: Required value: must not be empty",
			`metadata.finalizers: Invalid value: "bad name": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
			`metadata.finalizers[0]: Invalid value: "bad name": name is neither a standard finalizer name nor is it fully qualified`,
			"*metadata.ownerReferences[1]: Invalid value: "}},
		{"finalizers", "", "configmaps", `{"metadata":{"name":"c","namespace":"d","finalizers":["orphan","a.b/c","mine"]}}`, []string{
			`metadata.finalizers[2]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified`}},
		{"finalizer of a definition", "apiregistration.k8s.io", "apiservices", `{"metadata":{"name":"v1.a.b","finalizers":["mine"]},"spec":{"group":"a.b","version":"v1","groupPriorityMinimum":1,"versionPriority":1}}`, nil},
		{"annotations", "", "configmaps", `{"metadata":{"name":"c","namespace":"d","annotations":{"a":"` + strings.Repeat("x", 256*1024) + `"}}}`, []string{
			"metadata.annotations: Too long: may not be more than 262144 bytes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, ok := schema.Builtin().ByResource(c.group, "", c.plural)
			if !ok {
				t.Fatal("no such kind")
			}
			obj := object(t, k, c.in)
			k.Default(obj)
			check(t, c.want, k.Validate(obj, nil))
		})
	}
}

// check compares errors without their order; a wanted one with a star in front need only begin like that.
func check(t *testing.T, want []string, errs schema.ErrorList) {
	t.Helper()
	var got []string
	for _, e := range errs {
		text := e.Error()
		for _, w := range want {
			if p, star := strings.CutPrefix(w, "*"); star && strings.HasPrefix(text, p) {
				text = w
			}
		}
		got = append(got, text)
	}
	want = slices.Sorted(slices.Values(want))
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestValidateUpdate(t *testing.T) {
	pod := func(spec string) string { return `{` + podHead + `,"spec":{` + spec + `}}` }
	for _, c := range []struct {
		name, group, plural, old, in string
		want                         []string
	}{
		{"pod image", "", "pods", pod(one), pod(`"containers":[{"name":"a","image":"y"}]`), nil},
		{"pod command", "", "pods", pod(one), pod(`"containers":[{"name":"a","image":"x","command":["c"]}]`), []string{
			"*spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"}},
		{"pod containers", "", "pods", pod(one), pod(`"containers":[{"name":"a","image":"x"},{"name":"b","image":"x"}]`), []string{
			"spec.containers: Forbidden: pod updates may not add or remove containers"}},
		{"pod tolerations", "", "pods", pod(`"tolerations":[{"key":"a"}],` + one), pod(`"tolerations":[{"key":"a"},{"key":"b"}],` + one), nil},
		{"pod toleration gone", "", "pods", pod(`"tolerations":[{"key":"a"}],` + one), pod(one), []string{
			"spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds"}},
		{"gated pod", "", "pods", pod(`"schedulingGates":[{"name":"g"}],"nodeSelector":{"a":"b"},` + one), pod(`"schedulingGates":[{"name":"g"}],"nodeSelector":{"a":"b","c":"d"},` + one), nil},
		{"gated pod elsewhere", "", "pods", pod(`"schedulingGates":[{"name":"g"}],"nodeSelector":{"a":"b"},` + one), pod(`"schedulingGates":[{"name":"g"}],"nodeSelector":{"a":"c"},` + one), []string{
			`spec.nodeSelector: Invalid value: {"a":"c"}: only additions to spec.nodeSelector are allowed (no mutations or deletions)`}},
		{"load balancer", "", "services", `{"metadata":{"name":"s","namespace":"d"},"spec":{"type":"LoadBalancer","externalTrafficPolicy":"Local","healthCheckNodePort":31000,"loadBalancerClass":"a.b/c","ports":[{"port":1}]}}`,
			`{"metadata":{"name":"s","namespace":"d"},"spec":{"type":"LoadBalancer","externalTrafficPolicy":"Local","healthCheckNodePort":31001,"loadBalancerClass":"a.b/d","ports":[{"port":1}]}}`, []string{
				`spec.loadBalancerClass: Invalid value: "a.b/d": may not change once set`, "spec.healthCheckNodePort: Forbidden: field is immutable"}},
		{"deployment selector", "apps", "deployments", deploy(goodTemplate), deploy(strings.ReplaceAll(goodTemplate, `"app":"w"`, `"app":"v"`)), []string{
			`spec.selector: Invalid value: {"matchLabels":{"app":"v"}}: field is immutable`}},
		{"metadata", "", "configmaps", `{"metadata":{"name":"a","namespace":"d","uid":"1"}}`, `{"metadata":{"name":"b","namespace":"d","uid":"2"}}`, []string{
			`metadata.name: Invalid value: "b": field is immutable`, `metadata.uid: Invalid value: "2": field is immutable`}},
		{"immutable config map", "", "configmaps", `{"metadata":{"name":"a","namespace":"d"},"immutable":true,"data":{"a":"b"}}`,
			`{"metadata":{"name":"a","namespace":"d"},"data":{"a":"c"}}`, []string{"immutable: Forbidden: field is immutable when `immutable` is set",
				"data: Forbidden: field is immutable when `immutable` is set"}},
		{"secret type", "", "secrets", `{"metadata":{"name":"a","namespace":"d"}}`, `{"metadata":{"name":"a","namespace":"d"},"type":"x/y"}`, []string{
			`type: Invalid value: "x/y": field is immutable`}},
		{"role ref", "rbac.authorization.k8s.io", "rolebindings", `{"metadata":{"name":"a","namespace":"d"},"roleRef":{"kind":"Role","name":"a"}}`,
			`{"metadata":{"name":"a","namespace":"d"},"roleRef":{"kind":"Role","name":"b"}}`, []string{
				`roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"b"}: cannot change roleRef`}},
		{"cluster IP", "", "services", `{"metadata":{"name":"s","namespace":"d"},"spec":{"clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"ports":[{"port":1}]}}`,
			`{"metadata":{"name":"s","namespace":"d"},"spec":{"clusterIP":"10.0.0.2","clusterIPs":["10.0.0.2"],"ports":[{"port":1}]}}`, []string{
				`spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set`}},
		{"new finalizers", "", "configmaps", `{"metadata":{"name":"a","namespace":"d","deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["a.b/c"]}}`,
			`{"metadata":{"name":"a","namespace":"d","deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["a.b/c","a.b/d"]}}`, []string{
				`metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a.b/d"}`}},
		{"priority value", "scheduling.k8s.io", "priorityclasses", `{"metadata":{"name":"a"},"value":1}`, `{"metadata":{"name":"a"},"value":2}`, []string{"value: Invalid value: 2: field is immutable"}},
		{"node CIDR", "", "nodes", `{"metadata":{"name":"a"},"spec":{"podCIDRs":["10.0.0.0/24"]}}`, `{"metadata":{"name":"a"},"spec":{"podCIDRs":["10.0.1.0/24"]}}`, []string{
			`spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, ok := schema.Builtin().ByResource(c.group, "", c.plural)
			if !ok {
				t.Fatal("no such kind")
			}
			old, obj := object(t, k, c.old), object(t, k, c.in)
			k.Default(old)
			k.Default(obj)
			check(t, c.want, k.Validate(obj, old))
		})
	}
}

func TestValidateStatus(t *testing.T) {
	for _, c := range []struct {
		name, plural, old, in string
		want                  []string
	}{
		{"pod", "pods", `{"metadata":{"name":"p","namespace":"d"},"spec":{"nodeName":"n"},"status":{"qosClass":"Burstable","podIPs":[{"ip":"old"}]}}`,
			`{"metadata":{"name":"p","namespace":"d"},"spec":{"nodeName":"n"},"status":{"qosClass":"Guaranteed","podIPs":[{"ip":"old"},{"ip":"new"}],"observedGeneration":-1,"nominatedNodeName":"n","conditions":[{"type":"Ready","status":"True","observedGeneration":-1}]}}`, []string{
				"status.conditions[0].observedGeneration: Invalid value: -1: must be a non-negative integer", "status.nominatedNodeName: Forbidden: may not be set on pods that are already bound to a node",
				"status.observedGeneration: Invalid value: -1: must be a non-negative integer", `status.qosClass: Invalid value: "Guaranteed": field is immutable`,
				`status.podIPs[1]: Invalid value: "new": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`}},
		{"load balancer", "services", `{"metadata":{"name":"s","namespace":"d"},"spec":{"type":"LoadBalancer"}}`,
			`{"metadata":{"name":"s","namespace":"d"},"spec":{"type":"LoadBalancer"},"status":{"loadBalancer":{"ingress":[{"ip":"x","ipMode":"Foo"},{"hostname":"1.2.3.4","ipMode":"VIP"}]}}}`, []string{
				`status.loadBalancer.ingress[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`,
				`status.loadBalancer.ingress[0].ipMode: Unsupported value: "Foo": supported values: "Proxy", "VIP"`,
				"status.loadBalancer.ingress[1].ipMode: Forbidden: may not be specified when `ip` is not set",
				`status.loadBalancer.ingress[1].hostname: Invalid value: "1.2.3.4": must be a DNS name, not an IP address`}},
		{"no load balancer", "services", `{"metadata":{"name":"s","namespace":"d"},"spec":{}}`, `{"metadata":{"name":"s","namespace":"d"},"spec":{},"status":{"loadBalancer":{"ingress":[{"ip":"1.2.3.4"}]}}}`, []string{
			"status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, ok := schema.Builtin().ByResource("", "v1", c.plural)
			if !ok {
				t.Fatal("no such kind")
			}
			check(t, c.want, k.ValidateStatus(object(t, k, c.in), object(t, k, c.old)))
		})
	}
}

// An update of something else is not refused for what is stored and would not be taken today.
func TestWhatAnUpdateLeavesAloneIsNotCheckedAgain(t *testing.T) {
	k, ok := schema.Builtin().ByResource("apps", "v1", "deployments")
	if !ok {
		t.Fatal("no deployments")
	}
	stored := func() *appsv1.Deployment {
		return &appsv1.Deployment{
			Metadata: &metav1.ObjectMeta{Name: "web", Namespace: "shop"},
			Spec: &appsv1.DeploymentSpec{
				Replicas: proto.Int32(-1), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
				Template: &corev1.PodTemplateSpec{
					Metadata: &metav1.ObjectMeta{Labels: map[string]string{"app": "web"}},
					Spec:     &corev1.PodSpec{Containers: []*corev1.Container{{Name: "web", Image: "web"}}},
				},
			},
		}
	}
	old := stored()
	k.Default(old)
	if errs := k.Validate(old, nil); len(errs) == 0 {
		t.Fatal("-1 replicas are taken")
	}
	labelled := proto.CloneOf(old)
	labelled.Metadata.Labels = map[string]string{"new": "yes"}
	if errs := k.Validate(labelled, old); len(errs) > 0 {
		t.Errorf("a label is refused: %v", errs)
	}
	scaled := proto.CloneOf(old)
	scaled.Spec.Replicas = proto.Int32(-2)
	if errs := k.Validate(scaled, old); len(errs) == 0 {
		t.Error("-2 replicas are taken")
	}
}
