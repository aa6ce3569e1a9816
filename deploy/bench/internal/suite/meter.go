package suite

import (
	"context"
	"time"

	"github.com/keelson/keelson/deploy/bench/internal/apiserver"
)

// meter reads the server's processor time at the borders of what is measured.
type meter struct {
	server     *apiserver.Server
	start, end time.Duration
	err        error
	// own is an operation's processor time without that of others which it needs; 0 where that is all of it.
	own time.Duration
	// profile, where set, begins a profile of what is measured; profiled waits for it.
	profile  func() (wait func() error)
	profiled func() error
}

type meterKey struct{}

// begin ends the preparation of a workload, whose processor time does not count.
func begin(ctx context.Context) {
	m := ctx.Value(meterKey{}).(*meter)
	if m.profile != nil {
		m.profiled = m.profile()
	}
	m.start, m.err = m.server.CPU()
}

// end ends what is measured; what the workload does afterwards, to check it, does not count.
func end(ctx context.Context) {
	m := ctx.Value(meterKey{}).(*meter)
	if cpu, err := m.server.CPU(); err != nil {
		m.err = err
	} else {
		m.end = cpu
	}
}

// each is the processor time of one operation.
func (m *meter) each(operations int) (time.Duration, error) {
	if m.err != nil || operations == 0 {
		return 0, m.err
	}
	return (m.end - m.start) / time.Duration(operations), nil
}
