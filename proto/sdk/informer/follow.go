package informer

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/keelson/keelson/proto/apierrors"
	"github.com/keelson/keelson/proto/sdk/client"
	"go.uber.org/zap"
)

// follow opens one watch after the other until the context ends.
func (i *Informer[T]) follow(ctx context.Context) {
	var wait client.Backoff
	for resume := false; ctx.Err() == nil; {
		live, received, err := i.session(ctx, resume)
		if ctx.Err() != nil {
			return
		}
		if received {
			wait.Reset()
		}
		resume = live
		switch {
		case errors.Is(err, io.EOF) && received:
			continue // the server's regular end of a watch
		case apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || apierrors.HasCause(err, apierrors.CauseResourceVersionTooLarge):
			i.log.Info("watch expired, listing again", zap.Int64("revision", i.Revision()), zap.Error(err))
			resume = false
			if received {
				continue
			}
		default:
			i.log.Info("watch ended", zap.Bool("resume", resume), zap.Int64("revision", i.Revision()), zap.Error(err))
		}
		client.Sleep(ctx, wait.Next())
	}
}

// session follows one stream to its end. live tells whether the store is complete, so that the next one can go on from
// its revision; received whether the server sent anything.
func (i *Informer[T]) session(ctx context.Context, resume bool) (live, received bool, err error) {
	live = resume
	o := client.WatchOptions{
		Namespace: i.options.Namespace, LabelSelector: i.options.LabelSelector, FieldSelector: i.options.FieldSelector,
		AllowBookmarks: true, Acknowledger: i.options.Acknowledger,
	}
	if resume {
		o.ResourceVersion = strconv.FormatInt(i.Revision(), 10)
	} else {
		o.SendInitialEvents = true
		i.cover()
	}
	w, err := i.client.Watch(ctx, o)
	if err != nil {
		return live, false, err
	}
	ctx, cancel := context.WithCancel(ctx)
	sender := make(chan struct{})
	go func() {
		defer close(sender)
		i.send(ctx, w)
	}()
	defer func() {
		cancel()
		w.Close()
		<-sender
	}()

	snapshot := map[client.Key]entry[T]{}
	for {
		events, err := w.Next()
		if err != nil {
			return live, received, err
		}
		received = true
		if !live {
			var end *client.WatchEvent[T]
			if end, events = gather(snapshot, events); end == nil {
				continue
			}
			i.install(snapshot, end.Revision)
			live, snapshot = true, nil
		}
		i.absorb(events)
	}
}

// gather takes the initial state in, up to the bookmark that ends it, and returns that and what follows it.
func gather[T client.Object](snapshot map[client.Key]entry[T], events []client.WatchEvent[T]) (end *client.WatchEvent[T], rest []client.WatchEvent[T]) {
	for n := range events {
		e := &events[n]
		switch {
		case e.Type == client.Bookmark && e.InitialEventsEnd:
			return e, events[n+1:]
		case e.Type == client.Bookmark:
		case e.Type == client.Deleted:
			delete(snapshot, client.KeyOf(e.Object))
		default:
			snapshot[client.KeyOf(e.Object)] = entry[T]{e.Object, e.Revision}
		}
	}
	return nil, nil
}

// cover marks who waits already: the snapshot that is about to be asked for will do for them.
func (i *Informer[T]) cover() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for w := range i.waiters {
		w.covered = true
	}
}

// install makes the store equal to a complete snapshot and lets handlers know.
func (i *Informer[T]) install(snapshot map[client.Key]entry[T], revision int64) {
	i.mu.Lock()
	events := i.store.replace(snapshot, revision)
	i.revision = revision // lower than before where the servers' state was restored from a backup
	i.release(func(w *waiter) bool { return w.covered })
	i.advance(revision)
	i.mu.Unlock()
	i.tell(events)
	select {
	case <-i.synced:
	default:
		close(i.synced)
	}
	signal(i.progress) // for who began to wait meanwhile
}

// absorb takes changes into the store and lets handlers know.
func (i *Informer[T]) absorb(changes []client.WatchEvent[T]) {
	if len(changes) == 0 {
		return
	}
	var events []Event[T]
	i.mu.Lock()
	for _, c := range changes {
		events = i.store.apply(c, events)
	}
	i.advance(changes[len(changes)-1].Revision)
	i.mu.Unlock()
	i.tell(events)
}

func (i *Informer[T]) tell(events []Event[T]) {
	for _, e := range events {
		for _, f := range i.handlers {
			f(e)
		}
	}
}

const (
	// firstProgress is how long a change that somebody waits for gets to arrive by itself, as most do.
	firstProgress = 2 * time.Millisecond
	// nextProgress and maxProgress space repeated requests, for a server that answered with an earlier revision.
	nextProgress = 50 * time.Millisecond
	maxProgress  = 2 * time.Second
)

// send is the client's side of a stream: requests for progress while somebody waits, and acknowledgements.
func (i *Informer[T]) send(ctx context.Context, w *client.Watch[T]) {
	delay := firstProgress
	timer := time.NewTimer(delay) // somebody may wait since before the stream
	defer timer.Stop()
	signal(i.acks) // this server has not heard it yet
	for {
		select {
		case <-ctx.Done():
			return
		case <-i.acks:
			i.mu.RLock()
			revision := i.acked
			i.mu.RUnlock()
			if revision > 0 && w.Acknowledge(revision) != nil {
				return
			}
		case <-i.progress:
			delay = firstProgress
			timer.Reset(delay)
		case <-timer.C:
			if !i.waiting() {
				continue
			}
			if w.RequestProgress() != nil {
				return
			}
			delay = min(max(2*delay, nextProgress), maxProgress)
			timer.Reset(delay)
		}
	}
}
