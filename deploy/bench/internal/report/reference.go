package report

import "time"

// elsewhere is said under every table that shows these figures.
const elsewhere = "kube-apiserver's figures (1.37.2 and etcd 3.7, 16 clients, TLS, pods of the same size, 2 cores shared with the client) were measured in " +
	"another run on another day: they say which order of magnitude to expect. Only ratios measured in one run count. Its watchers " +
	"were client-go's, which share connections, 100 watches on each: the rows with 100 on a connection are the like of them."

type key struct{ workload, door string }

// figures of Kubernetes: what was seen, and kube-apiserver's and etcd's CPU for one operation; 0 where it was not taken.
type figures struct {
	figure string
	cpu    time.Duration
}

const (
	ms = time.Millisecond
	us = time.Microsecond
)

// Shared ends the names of workloads whose watchers share connections.
const Shared = ", 100 on a connection"

// reference holds what Kubernetes 1.37.2 did with the same workloads.
var reference = map[key]figures{
	{"create pod", "REST JSON"}:                                                         {"565/s, p50 26 ms, p99 67 ms", 2800 * us},
	{"create pod", "REST protobuf"}:                                                     {"865/s", 1900 * us},
	{"get pod", "REST JSON"}:                                                            {"1,899/s", 670 * us},
	{"update pod", "REST JSON"}:                                                         {"548/s", 3100 * us},
	{"strategic patch of pod", "REST JSON"}:                                             {"590/s", 2800 * us},
	{"status patch of pod", "REST JSON"}:                                                {"559/s", 0},
	{"create ConfigMap", "REST JSON"}:                                                   {"1,107/s", 0},
	{"create ConfigMap", "REST protobuf"}:                                               {"1,510/s", 0},
	{"get ConfigMap", "REST JSON"}:                                                      {"2,373/s", 0},
	{"get ConfigMap", "REST protobuf"}:                                                  {"3,605/s", 0},
	{"update ConfigMap", "REST JSON"}:                                                   {"1,044/s", 0},
	{"merge patch of ConfigMap", "REST JSON"}:                                           {"968/s", 0},
	{"apply of Deployment: create", "REST JSON"}:                                        {"934/s", 0},
	{"apply of Deployment: change", "REST JSON"}:                                        {"622/s", 2800 * us},
	{"apply of Deployment: no-op", "REST JSON"}:                                         {"654/s", 0},
	{"list 10,000 pods", "REST JSON"}:                                                   {"812 ms", 790 * ms},
	{"list 10,000 pods", "REST protobuf"}:                                               {"402 ms", 410 * ms},
	{"list 10,000 pods in pages of 500", "REST JSON"}:                                   {"778 ms", 0},
	{"list 10,000 pods as Table", "REST JSON"}:                                          {"439 ms", 0},
	{"list 10,000 pods metadata only", "REST JSON"}:                                     {"199 ms", 0},
	{"list 10,000 pods, 8 at once", "REST protobuf"}:                                    {"2.0 s, 1.31 GiB", 0},
	{"list 1% of 10,000 pods by label", "REST JSON"}:                                    {"17.7 ms", 17 * ms},
	{"list 1% of 10,000 pods by label", "REST protobuf"}:                                {"13.8 ms", 17 * ms},
	{"event to one of 200 watchers, 50 updates/s", "REST JSON"}:                         {"10,000/s, p50 9.9 ms, p99 15.7 ms, 1.65 GiB", 46 * us},
	{"event to one of 200 watchers, 50 updates/s" + Shared, "REST JSON"}:                {"10,000/s, p50 9.9 ms, p99 15.7 ms, 1.65 GiB", 46 * us},
	{"event to one of 200 watchers, updates as fast as possible" + Shared, "REST JSON"}: {"26,100/s", 0},
	{"event to one of 1,000 watchers, 10 updates/s", "REST JSON"}:                       {"10,000/s, p50 22.7 ms, p99 42 ms", 0},
	{"event to one of 200 watchers, updates as fast as possible", "REST JSON"}:          {"26,100/s", 0},
	{"delete-collection, each pod", "REST JSON"}:                                        {"365/s, 1.78 GiB", 3800 * us},
}

// shares are how many times less than kube-apiserver's a workload's processor time is to be, through REST and gRPC. Lists
// in protobuf are to be a twentieth of the list in protobuf, which the floor of bare TLS does not allow.
var shares = map[string]struct{ rest, protobuf, grpc time.Duration }{
	"create pod":                                 {4, 4, 10},
	"get pod":                                    {4, 4, 10},
	"update pod":                                 {4, 4, 10},
	"strategic patch of pod":                     {4, 4, 10},
	"apply of Deployment: change":                {4, 4, 10},
	"list 10,000 pods":                           {6, 20, 10},
	"list 1% of 10,000 pods by label":            {10, 10, 10},
	"event to one of 200 watchers, 50 updates/s": {6, 6, 10},
	"event to one of 200 watchers, 50 updates/s" + Shared: {6, 6, 10},
	"delete-collection, each pod":                         {10, 10, 10},
}

// aboveFloor is how much above the cost of bare TLS a goal is at least.
const aboveFloor = 1.5

// goal is what a workload may cost through a door; 0 where nothing is asked for. A door of which nothing is known of
// Kubernetes is measured by REST with JSON.
func goal(workload, door string, floor time.Duration) time.Duration {
	share, ok := shares[workload]
	if !ok {
		return 0
	}
	theirs := reference[key{workload, door}].cpu
	divide := map[string]time.Duration{"REST JSON": share.rest, "REST protobuf": share.protobuf}[door]
	if divide == 0 {
		divide = share.grpc
	}
	if theirs == 0 {
		theirs = reference[key{workload, "REST JSON"}].cpu
	}
	if theirs == 0 {
		return 0
	}
	return max(theirs/divide, time.Duration(aboveFloor*float64(floor)))
}
