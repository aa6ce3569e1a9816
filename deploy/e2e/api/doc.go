// Package api tests what the API server promises, on real processes: bare API servers without nodes, over the embedded
// etcd and over clusters of etcd members, killed and started again meanwhile. It needs no root, only the programs of
// `make build bin/etcd`.
//
// The tests are random, within a bound of time. KEELSON_TEST_SEED=n repeats a run's decisions (not its timing), and
// KEELSON_TEST_SECONDS=n makes the runs longer. What a failed run has seen is written below KEELSON_TEST_OUT.
package api
