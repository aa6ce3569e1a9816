package local

import "sync"

// startedProcess is a daemon that this run of the program started.
type startedProcess struct {
	cmd    command
	exited chan struct{}
}

var (
	startedMu      sync.Mutex
	startedDaemons []startedProcess
)
