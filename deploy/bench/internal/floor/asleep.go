package floor

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"sync"
	"time"
)

// Asleep returns the sender's processor time for one message where each of many connections gets one in turn, and then
// nothing for a while: the reader sleeps when its message comes, and neither side finds in the processor's caches what it
// needs. It is what an event to a watcher with a connection of its own costs at least.
func Asleep(connections, size, rounds int, pause time.Duration) (each time.Duration, err error) {
	senders := make([]io.Writer, connections)
	var readers sync.WaitGroup
	var closers []io.Closer
	defer func() {
		for _, c := range closers {
			err = errors.Join(err, c.Close())
		}
		readers.Wait()
	}()
	for i := range senders {
		server, client, err := connect()
		if err != nil {
			return 0, err
		}
		senders[i] = server
		closers = append(closers, server)
		readers.Go(func() {
			defer client.Close()
			_, _ = io.Copy(io.Discard, client)
		})
	}
	message := bytes.Repeat([]byte("0123456789abcdef"), size/16+1)[:size]
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var total time.Duration
	for range rounds {
		time.Sleep(pause)
		before, err := threadTime()
		if err != nil {
			return 0, err
		}
		for _, w := range senders {
			if _, err := w.Write(message); err != nil {
				return 0, err
			}
		}
		after, err := threadTime()
		if err != nil {
			return 0, err
		}
		total += after - before
	}
	return total / time.Duration(rounds*connections), nil
}
