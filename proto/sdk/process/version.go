package process

import (
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// version is set by the linker: -X github.com/keelson/keelson/proto/sdk/process.version=v0.1.0
var version string

// Version returns the version of the build: the linker's, else the revision that the binary was built from.
var Version = sync.OnceValue(func() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "-dirty"
			}
		}
	}
	if revision == "" {
		return "devel"
	}
	return "devel-" + revision + dirty
})

var _ = promauto.NewGaugeFunc(prometheus.GaugeOpts{
	Name: "keelson_build_info", Help: "Always 1; the labels describe the build.",
	ConstLabels: prometheus.Labels{"version": Version(), "go_version": runtime.Version()},
}, func() float64 { return 1 })
