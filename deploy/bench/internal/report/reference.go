package report

// elsewhere is said under every table that shows these figures.
const elsewhere = "kube-apiserver's figures (1.37.2 and etcd 3.7, 16 clients, TLS, pods of the same size, 2 cores shared with the client) were measured in " +
	"another run on another day: they say which order of magnitude to expect. Only ratios measured in one run count."

type key struct{ workload, door string }

// figures of Kubernetes: what was seen, and kube-apiserver's and etcd's CPU for one operation.
type figures struct{ figure, cpu string }

// reference holds what Kubernetes 1.37.2 did with the same workloads.
var reference = map[key]figures{
	{"create pod", "REST JSON"}:                                 {"565/s, p50 26 ms, p99 67 ms", "2.8 ms"},
	{"create pod", "REST protobuf"}:                             {"865/s", "1.9 ms"},
	{"get pod", "REST JSON"}:                                    {"1,899/s", "0.67 ms"},
	{"update pod", "REST JSON"}:                                 {"548/s", "3.1 ms"},
	{"list 10,000 pods", "REST JSON"}:                           {"812 ms", "790 ms"},
	{"list 10,000 pods", "REST protobuf"}:                       {"402 ms", "410 ms"},
	{"strategic patch of pod", "REST JSON"}:                     {"590/s", "2.8 ms"},
	{"list 10,000 pods, 8 at once", "REST protobuf"}:            {"2.0 s, 1.31 GiB", ""},
	{"list 1% of 10,000 pods by label", "REST JSON"}:            {"17.7 ms", "17 ms"},
	{"list 1% of 10,000 pods by label", "REST protobuf"}:        {"13.8 ms", "17 ms"},
	{"event to one of 200 watchers, 50 updates/s", "REST JSON"}: {"10,000/s, p50 9.9 ms, p99 15.7 ms, 1.65 GiB", "46 us"},
	{"delete-collection, each pod", "REST JSON"}:                {"365/s, 1.78 GiB", "3.8 ms"},
}
