package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keelson/keelson/apiserver/internal/admission/admissiontest"
	"github.com/keelson/keelson/apiserver/internal/admission/policy"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

func start(t *testing.T) *admissiontest.Server {
	return admissiontest.Start(t, &policy.Expressions{}, policy.NewMutating(policy.Config{}), policy.NewValidating(policy.Config{}))
}

// vap is a policy over config maps and its binding.
func vap(name, spec, binding string) []string {
	return []string{fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: %s}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: ["v1"], operations: ["*"], resources: ["configmaps"]}
%s`, name, spec), fmt.Sprintf(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: %s-binding}
spec:
  policyName: %s
%s`, name, name, binding)}
}

const deny = "  validationActions: [Deny]\n"

func config(name, data string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, labels: {app: x}}\ndata: {%s}\n", name, data)
}

// problem is an error's text, "" for none.
func problem(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestValidating(t *testing.T) {
	for _, c := range []struct{ name, spec, binding, data, want string }{
		{"passes", "  validations: [{expression: 'object.data.a == \"1\"'}]", deny, "a: '1'", ""},
		{"fails", "  validations: [{expression: 'object.data.a == \"2\"'}]", deny, "a: '1'",
			`configmaps "c" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p-binding' denied request: failed expression: object.data.a == "2"`},
		{"message", "  validations: [{expression: 'false', message: 'no way'}]", deny, "a: '1'", "denied request: no way"},
		{"message expression", "  validations: [{expression: 'false', messageExpression: '\"a is \" + object.data.a', message: x}]", deny, "a: '1'", "denied request: a is 1"},
		{"message expression fails", "  validations: [{expression: 'false', messageExpression: 'string(object.data.b)', message: plain}]", deny, "a: '1'", "denied request: plain"},
		{"error", "  validations: [{expression: 'object.data.b == \"\"'}]", deny, "a: '1'",
			"denied request: expression 'object.data.b == \"\"' resulted in error: no such key: b"},
		{"error ignored", "  failurePolicy: Ignore\n  validations: [{expression: 'object.data.b == \"\"'}]", deny, "a: '1'", ""},
		{"variables", "  variables: [{name: count, expression: 'object.data.size()'}, {name: twice, expression: 'variables.count * 2'}]\n" +
			"  validations: [{expression: 'variables.twice == 4', messageExpression: 'string(variables.twice)'}]", deny, "a: '1'", "denied request: 2"},
		{"request", "  validations: [{expression: 'request.userInfo.username == \"jane\" && request.operation == \"CREATE\" && request.name == \"c\" && " +
			"request.namespace == \"default\" && request.kind.kind == \"ConfigMap\" && request.resource.resource == \"configmaps\" && request.userInfo.extra[\"team\"] == [\"a\", \"b\"] && !request.dryRun'}]", deny, "", ""},
		{"options", "  validations: [{expression: 'request.options.kind == \"CreateOptions\"'}]", deny, "", ""},
		{"namespace", "  validations: [{expression: 'namespaceObject.metadata.name == \"default\" && namespaceObject.metadata.labels[\"kubernetes.io/metadata.name\"] == \"default\" && " +
			"namespaceObject.metadata.creationTimestamp > timestamp(\"2000-01-01T00:00:00Z\")'}]", deny, "", ""},
		{"old object", "  validations: [{expression: 'oldObject == null'}]", deny, "", ""},
		{"authorizer", "  validations: [{expression: 'authorizer.group(\"\").resource(\"pods\").namespace(\"x\").check(\"create\").allowed() && authorizer.requestResource.check(\"create\").allowed()'}]", deny, "", ""},
		{"condition holds not", "  matchConditions: [{name: c, expression: 'object.metadata.name == \"other\"'}]\n  validations: [{expression: 'false'}]", deny, "", ""},
		{"condition fails", "  matchConditions: [{name: c, expression: 'object.data.zz == \"\"'}]\n  validations: [{expression: 'true'}]", deny, "a: '1'",
			"denied request: expression 'object.data.zz == \"\"' resulted in error: no such key: zz"},
		{"condition fails, ignored", "  failurePolicy: Ignore\n  matchConditions: [{name: c, expression: 'object.data.zz == \"\"'}]\n  validations: [{expression: 'false'}]", deny, "a: '1'", ""},
		{"binding narrows", "  validations: [{expression: 'false'}]", deny + "  matchResources: {objectSelector: {matchLabels: {app: other}}}\n", "", ""},
		{"namespace selector", "  validations: [{expression: 'false'}]", deny + "  matchResources: {namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [default]}]}}\n", "", ""},
		{"resource names", "  validations: [{expression: 'false'}]", deny + "  matchResources: {resourceRules: [{resourceNames: [d], apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*']}]}\n", "", ""},
		{"excluded", "  validations: [{expression: 'false'}]", deny + "  matchResources: {excludeResourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: [CREATE], resources: ['*']}]}\n", "", ""},
		{"bomb", "  validations: [{expression: 'lists.range(10000).all(x, lists.range(10000).all(y, x >= 0 && y >= 0))'}]", deny, "", "resulted in error: operation cancelled: actual cost limit exceeded"},
		{"budget", "  validations: [" + strings.Repeat("{expression: 'lists.range(200000).size() > 0'}, ", 60) + "]", deny, "", "validation failed due to running out of cost budget"},
		{"audit", "  validations: [{expression: 'false'}]", "  validationActions: [Audit]\n", "", ""},
		{"annotations", "  auditAnnotations: [{key: k, valueExpression: '\"v\"'}, {key: none, valueExpression: 'null'}]", deny, "", ""},
		{"annotation fails", "  auditAnnotations: [{key: k, valueExpression: 'string(object.data.zz)'}]", deny, "a: '1'", "no such key: zz"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t)
			s.Must(vap("p", c.spec, c.binding)...)
			_, warnings, err := s.Create(config("c", c.data))
			if got := problem(err); c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if warnings != nil {
				t.Errorf("warnings %v", warnings)
			}
		})
	}
}

func TestWarn(t *testing.T) {
	s := start(t)
	s.Must(vap("p", "  validations: [{expression: 'false', message: careful}]", "  validationActions: [Warn, Audit]\n")...)
	_, warnings, err := s.Create(config("c", ""))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p-binding': careful"}, warnings); diff != "" {
		t.Error(diff)
	}
}

func TestDeletionAndUpdate(t *testing.T) {
	s := start(t)
	s.Must(vap("p", "  validations:\n  - {expression: 'request.operation != \"DELETE\" || oldObject.metadata.name != \"c\"', message: kept, reason: Forbidden}\n"+
		"  - {expression: 'request.operation != \"UPDATE\" || object.data.a == oldObject.data.a', message: fixed}", deny)...)
	s.Must(config("c", "a: '1'"), config("d", "a: '1'"))
	if err := s.Delete("", "configmaps", "default", "c"); !strings.Contains(problem(err), "denied request: kept") {
		t.Errorf("got %v", err)
	}
	if err := s.Delete("", "configmaps", "default", "d"); err != nil {
		t.Errorf("got %v", err)
	}
	if _, _, err := s.Update(config("c", "a: '2'")); !strings.Contains(problem(err), "denied request: fixed") {
		t.Errorf("got %v", err)
	}
	if _, _, err := s.Update(config("c", "a: '1', b: '1'")); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestParams(t *testing.T) {
	const kind = "  paramKind: {apiVersion: v1, kind: ConfigMap}\n  validations: [{expression: 'params == null || int(object.data.num) <= int(params.data.max)', messageExpression: '\"at most \" + params.data.max'}]"
	param := func(name, labels, limit string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: kube-system, labels: {%s}}\ndata: {max: '%s', num: '0'}\n", name, labels, limit)
	}
	for _, c := range []struct{ name, ref, want string }{
		{"by name", "{name: limit, namespace: kube-system, parameterNotFoundAction: Deny}", "at most 3"},
		{"by selector", "{namespace: kube-system, selector: {matchLabels: {role: limit}}, parameterNotFoundAction: Deny}", "at most 2"},
		{"missing", "{name: none, namespace: kube-system, parameterNotFoundAction: Deny}",
			"denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"},
		{"missing is fine", "{name: none, namespace: kube-system, parameterNotFoundAction: Allow}", ""},
		{"of the request's namespace", "{name: limit, parameterNotFoundAction: Allow}", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t)
			s.Must(param("limit", "a: b", "3"), param("l1", "role: limit", "9"), param("l2", "role: limit", "2"))
			s.Must(vap("p", kind, deny+"  paramRef: "+c.ref+"\n")...)
			_, _, err := s.Create(config("c", "num: '5'"))
			if got := problem(err); c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	t.Run("unknown kind", func(t *testing.T) {
		s := start(t)
		s.Must(vap("p", "  paramKind: {apiVersion: example.com/v1, kind: Rule}\n  validations: [{expression: 'params.x == 1'}]",
			deny+"  paramRef: {name: x, parameterNotFoundAction: Deny}\n")...)
		_, _, err := s.Create(config("c", ""))
		want := "ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: failed to find resource referenced by paramKind: 'example.com/v1, Kind=Rule'"
		if !strings.Contains(problem(err), want) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWrongExpressions(t *testing.T) {
	s := start(t)
	for _, c := range []struct{ name, object, want string }{
		{"syntax", vap("p", "  validations: [{expression: 'object.'}]", deny)[0],
			`ValidatingAdmissionPolicy.admissionregistration.k8s.io "p" is invalid: spec.validations[0].expression: Invalid value: "object.": compilation failed: ERROR: <input>:1:8: Syntax error`},
		{"type", vap("p", "  validations: [{expression: '1'}]", deny)[0], "must evaluate to bool but got int"},
		{"message", vap("p", "  validations: [{expression: 'true', messageExpression: 'authorizer'}]", deny)[0], "spec.validations[0].messageExpression: Invalid value"},
		{"unknown variable", vap("p", "  validations: [{expression: 'variables.x'}]", deny)[0], "undefined field 'x'"},
		{"variable", vap("p", "  variables: [{name: a, expression: 'nope'}]\n  validations: [{expression: 'variables.a'}]", deny)[0], "spec.variables[0].expression: Invalid value"},
		{"params", vap("p", "  validations: [{expression: 'params.a'}]", deny)[0], "undeclared reference to 'params'"},
		{"condition", vap("p", "  matchConditions: [{name: c, expression: '1'}]\n  validations: [{expression: 'true'}]", deny)[0], "spec.matchConditions[0].expression"},
		{"annotation", vap("p", "  auditAnnotations: [{key: k, valueExpression: '1'}]", deny)[0], "must evaluate to one of [string null_type] but got int"},
		{"nothing", vap("p", "", deny)[0], "validations or auditAnnotations must contain at least one item"},
		{"webhook", `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: w}
webhooks: [{name: a.b.c, sideEffects: None, admissionReviewVersions: [v1], clientConfig: {url: "https://x.example"}, matchConditions: [{name: c, expression: "foo"}]}]
`, `webhooks[0].matchConditions[0].expression: Invalid value: "foo": compilation failed`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, err := s.Create(c.object); !strings.Contains(problem(err), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestTypeChecking(t *testing.T) {
	s := start(t)
	tree, _, err := s.Create(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: p}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}
  validations:
  - {expression: "object.spec.replicas > '1'"}
  - {expression: "object.spec.replicas > 1 && object.metadata.labels.exists(l, l == 'x')"}
  - {expression: "object.spec.nope == 1"}
`)
	if err != nil {
		t.Fatal(err)
	}
	warnings, _ := admissiontest.At(tree, "status", "typeChecking", "expressionWarnings").([]any)
	if len(warnings) != 2 {
		t.Fatalf("got %v", tree["status"])
	}
	for i, want := range []string{"found no matching overload for '_>_' applied to '(int, string)'", "undefined field 'nope'"} {
		w := warnings[i].(map[string]any)
		if text := fmt.Sprint(w["warning"]); !strings.HasPrefix(text, "apps/v1, Kind=Deployment: ERROR: <input>:1:") || !strings.Contains(text, want) {
			t.Errorf("got %v", w)
		}
	}
	if got := admissiontest.At(tree, "status", "observedGeneration"); got != int64(1) {
		t.Errorf("observed %v", got)
	}
}

func TestPoliciesNeverSeeAdmission(t *testing.T) {
	s := start(t)
	objects := vap("p", "  validations: [{expression: 'false'}]", deny)
	objects[0] = strings.Replace(objects[0], `apiGroups: [""], apiVersions: ["v1"], operations: ["*"], resources: ["configmaps"]`,
		`apiGroups: ["*"], apiVersions: ["*"], operations: ["*"], resources: ["*"]`, 1)
	s.Must(objects...)
	if _, _, err := s.Create(config("c", "")); err == nil {
		t.Error("the policy is not in force")
	}
	if err := s.Delete("admissionregistration.k8s.io", "validatingadmissionpolicybindings", "", "p-binding"); err != nil {
		t.Error(err)
	}
	if _, err := s.Get(s.Ctx, &resourcev1.GetRequest{Ref: &resourcev1.ObjectRef{Resource: &resourcev1.Resource{Plural: "namespaces"}, Name: "default"}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Create(config("c", "")); err != nil {
		t.Error(err)
	}
}
