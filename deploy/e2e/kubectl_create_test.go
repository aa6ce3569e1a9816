package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Every generator of `kubectl create` makes an object that is stored, printed and described.
func TestKubectlCreate(t *testing.T) {
	everyKubectl(t, func(t *testing.T, k program) {
		ns := k.namespace
		t.Cleanup(func() {
			_, _ = try("delete", "clusterrole,clusterrolebinding,priorityclass", ns, "--ignore-not-found")
			_, _ = try("delete", "namespace", ns+"-made", "--ignore-not-found", "--wait=false")
		})
		key, certificate := pair(t)
		for _, c := range []struct {
			create, kind string
			shows, tells []string // by get and by describe
		}{
			{"clusterrole NAME --verb=get,list --resource=pods,pods/status", "clusterrole.rbac.authorization.k8s.io", nil, []string{"pods/status", "[get list]"}},
			{"clusterrolebinding NAME --clusterrole=view --user=jane --group=ops", "clusterrolebinding.rbac.authorization.k8s.io", []string{"ClusterRole/view"}, []string{"Group  ops", "User   jane"}},
			{"priorityclass NAME --value=1000 --description=high", "priorityclass.scheduling.k8s.io", []string{"1000", "false", "PreemptLowerPriority"}, []string{"high"}},
			{"configmap made --from-literal=a=b", "configmap", []string{"1"}, []string{"a:"}},
			{"cronjob made --image=probe:v1 --schedule=*/5~*~*~*~* -- echo hi", "cronjob.batch", []string{"*/5 * * * *", "<none>", "False", "0"}, []string{"Concurrency Policy:", "Allow"}},
			{"deployment made --image=probe:v1 --replicas=0", "deployment.apps", []string{"0/0"}, []string{"RollingUpdate"}},
			{"ingress made --rule=example.com/path*=web:80,tls=cert --class=nginx --annotation=a=b", "ingress.networking.k8s.io", []string{"nginx", "example.com", "80, 443"}, []string{"/path", "web:80", "cert terminates example.com"}},
			{"job made --image=probe:v1 -- true", "job.batch", []string{"0/1"}, []string{"Parallelism:", "Completions:"}},
			{"namespace " + ns + "-made", "namespace", []string{"Active"}, []string{"Status:       Active", "No resource quota."}},
			{"poddisruptionbudget made --selector=app=x --min-available=50%", "poddisruptionbudget.policy", []string{"50%", "N/A", "0"}, []string{"Min available:", "50%"}},
			{"quota made --hard=pods=10,requests.cpu=2,count/jobs.batch=3", "resourcequota", []string{"pods:", "/10"}, []string{"requests.cpu", "count/jobs.batch"}},
			{"role made --verb=create --resource=deployments.apps --resource-name=x", "role.rbac.authorization.k8s.io", nil, []string{"deployments.apps", "[x]", "[create]"}},
			{"rolebinding made --role=made --serviceaccount=" + ns + ":default", "rolebinding.rbac.authorization.k8s.io", []string{"Role/made"}, []string{"ServiceAccount  default"}},
			{"secret generic made --from-literal=a=b --type=example.com/x", "secret", []string{"example.com/x", "1"}, []string{"1 bytes"}},
			{"secret tls tls --cert=" + certificate + " --key=" + key, "secret", []string{"kubernetes.io/tls", "2"}, []string{"tls.crt"}},
			{"secret docker-registry registry --docker-server=r.example.com --docker-username=u --docker-password=p", "secret", []string{"kubernetes.io/dockerconfigjson"}, []string{".dockerconfigjson"}},
			{"service clusterip made --tcp=80:8080", "service", []string{"ClusterIP", "80/TCP"}, []string{"TargetPort:", "8080/TCP"}},
			{"service clusterip headless --clusterip=None", "service", []string{"None"}, nil},
			{"service externalname ext --external-name=example.com", "service", []string{"ExternalName", "example.com"}, nil},
			{"service nodeport np --tcp=80", "service", []string{"NodePort", "80:3"}, []string{"NodePort:"}},
			{"service loadbalancer lb --tcp=80", "service", []string{"LoadBalancer", "<pending>"}, nil},
			{"serviceaccount made", "serviceaccount", nil, []string{"Image pull secrets:"}},
		} {
			create := strings.ReplaceAll(c.create, "NAME", ns)
			words := fields(create)
			name := words[1]
			if words[0] == "secret" || words[0] == "service" {
				name = words[2]
			}
			t.Run(words[0]+" "+name, func(t *testing.T) {
				k.prints(t, "create "+create, "/"+name+" created")
				k.prints(t, "get "+c.kind+" "+name, append(c.shows, "NAME", name)...)
				k.prints(t, "describe "+c.kind+" "+name, append(c.tells, "Name:", name)...)
				k.prints(t, "delete "+c.kind+" "+name+" --wait=false", `"`+name+`"`, "deleted")
			})
		}
		k.prints(t, "create token default --duration=10m --audience=a", "ey")
		k.refuses(t, "create token none", `serviceaccounts "none" not found`)
	})
}

// The commands that are left: about roles, certificates, controllers other than Deployments, and what clients do by themselves.
func TestKubectlOtherCommands(t *testing.T) {
	everyKubectl(t, func(t *testing.T, k program) {
		dir := t.TempDir()
		write := func(name, text string) string {
			t.Helper()
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		t.Run("auth", func(t *testing.T) {
			roles := write("roles.yaml", `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: r, namespace: `+k.namespace+`}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: b, namespace: `+k.namespace+`}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: jane}]
`)
			k.prints(t, "auth reconcile -f "+roles, "role.rbac.authorization.k8s.io/r reconciled", "rolebinding.rbac.authorization.k8s.io/b reconciled")
			k.prints(t, "auth can-i get pods --as=jane", "yes")
			k.prints(t, "auth can-i --list --as=jane", "pods", "[get]")
			k.prints(t, "set subject rolebinding b --user=john", "subjects updated")
			k.prints(t, "auth can-i get pods --as=john", "yes")
			k.prints(t, "auth whoami --as=jane --as-group=ops", "jane", "ops")
		})
		t.Run("certificate", func(t *testing.T) {
			for _, verb := range []string{"approve", "deny"} {
				name := strings.ReplaceAll(k.namespace, "_", "-") + "-" + verb
				t.Cleanup(func() { _, _ = try("delete", "csr", name, "--ignore-not-found") })
				k.stdin(t, `{"apiVersion":"certificates.k8s.io/v1","kind":"CertificateSigningRequest","metadata":{"name":"`+name+`"},"spec":{
					"signerName":"kubernetes.io/kube-apiserver-client","usages":["client auth"],"expirationSeconds":3600,"request":"`+request(t, "jill")+`"}}`, "create -f -")
				k.prints(t, "get csr "+name, "SIGNERNAME", "kubernetes.io/kube-apiserver-client", "kubernetes-admin", "60m", "Pending")
				k.prints(t, "certificate "+verb+" "+name, "certificatesigningrequest.certificates.k8s.io/"+name)
				k.prints(t, "describe csr "+name, "Requesting User:", "kubernetes-admin", "jill")
			}
			k.prints(t, "get csr "+k.namespace+"-deny", "Denied")
			k.prints(t, "wait --for=jsonpath={.status.certificate} csr/"+k.namespace+"-approve --timeout=30s", "condition met")
			k.prints(t, "get csr "+k.namespace+"-approve", "Approved,Issued")
		})
		t.Run("apply", func(t *testing.T) {
			write("base.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: k}\ndata: {a: b}\n")
			write("kustomization.yaml", "resources: [base.yaml]\nnamePrefix: my-\nlabels: [{pairs: {set: k}}]\nconfigMapGenerator: [{name: gen, literals: [x=y]}]\n")
			k.prints(t, "kustomize "+dir, "name: my-k", "name: my-gen-")
			k.prints(t, "apply -k "+dir, "configmap/my-k created", "configmap/my-gen-")
			k.prints(t, "apply view-last-applied cm/my-k", "a: b")
			k.prints(t, "apply -f "+filepath.Join(dir, "base.yaml"), "configmap/k created")
			k.prints(t, "apply set-last-applied -f "+filepath.Join(dir, "base.yaml"), "configmap/k configured")
			edit := exec.Command(k.path, "-n", k.namespace, "apply", "edit-last-applied", "cm/my-k")
			edit.Env = environment("KUBE_EDITOR=sed -i s/a:\\ b/a:\\ edited/")
			if out, err := edit.CombinedOutput(); err != nil || !strings.Contains(string(out), "configmap/my-k edited") {
				t.Errorf("edit-last-applied: %v\n%s", err, out)
			}
			write("pruned.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: left, labels: {set: k}}\n")
			k.prints(t, "apply -f "+filepath.Join(dir, "pruned.yaml")+" --prune -l set=k --prune-allowlist=core/v1/ConfigMap", "configmap/left created", "configmap/my-k pruned")
			k.prints(t, "replace --force -f "+filepath.Join(dir, "base.yaml"), `configmap "k" deleted`, "configmap/k replaced")
		})
		t.Run("workloads", func(t *testing.T) {
			k.stdin(t, `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: s}
spec:
  replicas: 2
  serviceName: s
  selector: {matchLabels: {app: s}}
  template:
    metadata: {labels: {app: s}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: "probe:v1", command: [probe]}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: e}
spec:
  selector: {matchLabels: {app: e}}
  template:
    metadata: {labels: {app: e}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: "probe:v1", command: [probe]}]}
---
apiVersion: v1
kind: ReplicationController
metadata: {name: r}
spec:
  replicas: 1
  selector: {app: r}
  template:
    metadata: {labels: {app: r}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: "probe:v1", command: [probe]}]}
`, "apply -f -")
			k.prints(t, "rollout status statefulset/s --timeout=90s", "partitioned roll out complete")
			k.prints(t, "rollout status daemonset/e --timeout=90s", `daemon set "e" successfully rolled out`)
			k.prints(t, "get statefulset s", "2/2")
			k.prints(t, "get pods s-0 s-1", "Running")
			k.prints(t, "get daemonset e", "DESIRED", "NODE SELECTOR")
			k.prints(t, "wait --for=jsonpath={.status.readyReplicas}=1 rc/r --timeout=60s")
			k.prints(t, "set env statefulset/s daemonset/e A=b", "statefulset.apps/s env updated", "daemonset.apps/e env updated")
			k.prints(t, "rollout status statefulset/s --timeout=90s")
			k.prints(t, "rollout status daemonset/e --timeout=90s")
			k.prints(t, "rollout history statefulset/s", "REVISION", "2")
			k.prints(t, "rollout undo daemonset/e", "daemonset.apps/e rolled back")
			if out := k.ok(t, "rollout", "undo", "statefulset/s", "--dry-run=server"); strings.Contains(out, "unknown field") {
				t.Errorf("rollout undo: %s", out)
			}
			k.prints(t, "rollout status daemonset/e --timeout=90s")
			k.prints(t, "rollout restart statefulset/s", "restarted")
			k.prints(t, "scale statefulset/s --replicas=1", "scaled")
			k.prints(t, "scale rc/r --replicas=0", "scaled")
			k.prints(t, "autoscale statefulset s --max=3 --min=1 --cpu-percent=50", "autoscaled")
			k.prints(t, "get hpa s", "StatefulSet/s", "50%", "1", "3")
			k.prints(t, "set serviceaccount statefulset s default", "serviceaccount updated")
			k.prints(t, "expose rc r --port=80", "service/r exposed")
			k.prints(t, "set selector service r app=other", "selector updated")
			k.prints(t, "describe statefulset s", "Update Strategy:", "SuccessfulCreate")
			k.prints(t, "describe daemonset e", "Desired Number of Nodes Scheduled:")
			k.prints(t, "get controllerrevisions", "statefulset.apps/s", "daemonset.apps/e")
		})
		t.Run("jobs", func(t *testing.T) {
			k.prints(t, "create job done --image=probe:v1 -- sh -c echo~worked", "job.batch/done created")
			k.prints(t, "wait --for=condition=complete job/done --timeout=60s", "condition met")
			k.prints(t, "logs job/done", "worked")
			k.prints(t, "get job done", "Complete", "1/1")
			k.prints(t, "create cronjob never --image=probe:v1 --schedule=0~0~1~1~* -- sh -c echo~once")
			k.prints(t, "create job once --from=cronjob/never", "job.batch/once created")
			k.prints(t, "wait --for=condition=complete job/once --timeout=60s")
			k.prints(t, "describe job once", "1 Succeeded")
			k.prints(t, "delete job done --cascade=foreground --timeout=60s", `job.batch "done" deleted`)
			k.prints(t, "get pods -l job-name=done", "No resources found")
		})
		t.Run("disruption", func(t *testing.T) {
			k.prints(t, "create deployment kept --image=probe:v1 -- probe")
			k.prints(t, "create pdb kept --selector=app=kept --min-available=1")
			k.prints(t, "rollout status deployment/kept --timeout=60s")
			k.prints(t, "wait --for=jsonpath={.status.currentHealthy}=1 pdb/kept --timeout=30s")
			node := k.ok(t, "get", "pods", "-l", "app=kept", "-o", "jsonpath={.items[0].spec.nodeName}")
			t.Cleanup(func() { _, _ = try("uncordon", node) })
			k.refuses(t, "drain "+node+" --ignore-daemonsets --pod-selector=app=kept --timeout=3s", "Cannot evict pod as it would violate the pod's disruption budget.")
			k.ok(t, "uncordon", node)
			k.prints(t, "get pdb kept", "1", "N/A", "0")
		})
		t.Run("debug", func(t *testing.T) {
			k.prints(t, "run target --image=probe:v1 --command -- probe")
			k.prints(t, "wait --for=condition=Ready pod/target --timeout=60s")
			k.prints(t, "debug target --image=probe:v1 --target=target -c dbg --attach=false -- sh -c ps;sleep~100")
			k.prints(t, "wait --for=jsonpath={.status.ephemeralContainerStatuses[0].state.running} pod/target --timeout=60s")
			k.prints(t, "logs target -c dbg", "probe")
			k.prints(t, "exec target -c dbg -- hostname", "target")
			k.prints(t, "debug target --copy-to=copy --set-image=target=probe:v1 --attach=false")
			k.prints(t, "wait --for=condition=Ready pod/copy --timeout=60s")
			node := k.ok(t, "get", "pod", "target", "-o", "jsonpath={.spec.nodeName}")
			out := k.ok(t, "debug", "node/"+node, "--image=probe:v1", "--attach=false", "--", "ls", "/host")
			_, name, _ := strings.Cut(out, "Creating debugging pod ")
			name, _, _ = strings.Cut(name, " ")
			k.prints(t, "wait --for=jsonpath={.status.phase}=Succeeded pod/"+name+" --timeout=60s")
			k.prints(t, "logs "+name, "etc\n", "proc\n")
		})
		t.Run("proxy", func(t *testing.T) {
			proxy := k.start(t, "proxy --port=0")
			proxy.says(t, "Starting to serve on 127.0.0.1:")
			_, port, _ := strings.Cut(proxy.text(), "127.0.0.1:")
			base := "http://127.0.0.1:" + strings.TrimSpace(port)
			if got := fetch(t, base+"/api/v1/namespaces/default"); !strings.Contains(got, `"kind":"Namespace"`) && !strings.Contains(got, `"kind": "Namespace"`) {
				t.Errorf("through kubectl proxy: %s", got)
			}
			k.prints(t, "run served --image=probe:v1 --port=8080 --labels=app=served --command -- probe -version proxied")
			k.prints(t, "expose pod served --port=80 --target-port=8080")
			k.prints(t, "wait --for=condition=Ready pod/served --timeout=60s")
			k.prints(t, "wait --for=jsonpath={.subsets[0].addresses[0].ip} endpoints/served --timeout=30s")
			k.prints(t, "get --raw /api/v1/namespaces/"+k.namespace+"/pods/served:8080/proxy/", "proxied")
			k.prints(t, "get --raw /api/v1/namespaces/"+k.namespace+"/services/served:80/proxy/", "proxied")
		})
		t.Run("client", func(t *testing.T) {
			dump := filepath.Join(dir, "dump")
			k.prints(t, "cluster-info dump --namespaces "+k.namespace+" --output-directory="+dump)
			if _, err := os.Stat(filepath.Join(dump, "nodes.json")); err != nil {
				t.Error(err)
			}
			k.prints(t, "config view --minify", "clusters:", "current-context:")
			k.prints(t, "config get-contexts", "CURRENT")
			k.prints(t, "completion bash", "__start_kubectl")
			k.prints(t, "options", "--as")
			k.prints(t, "get --raw /readyz?verbose", "[+]ping ok", "readyz check passed")
			k.prints(t, "version -o json", "serverVersion")
		})
	})
}

// pair writes a key and a certificate of its own and returns the files.
func pair(t *testing.T) (key, certificate string) {
	t.Helper()
	c := foreignCertificate(t)
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key, certificate = filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem")
	for path, block := range map[string]*pem.Block{key: {Type: "PRIVATE KEY", Bytes: der}, certificate: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return key, certificate
}

// request makes a certificate request for a user, as a CertificateSigningRequest holds it.
func request(t *testing.T, user string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: user}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}
