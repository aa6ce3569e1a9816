package allocate

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/keelson/keelson/proto/pipeline/store"
)

// Prefixes of the claims' keys.
const (
	root     = "/registry/keelson.io/claims/"
	ipKeys   = root + "clusterips/"
	portKeys = root + "nodeports/"
)

// Owner is the Service that a claim belongs to.
type Owner struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
}

// claim is the value of a claim's key.
type claim struct {
	Owner
	Since time.Time `json:"since"`
}

// errTaken says that another Service has what was asked for.
var errTaken = errors.New("already allocated")

// take claims a key. Taking one's own claim again is no error.
func (a *Allocator) take(ctx context.Context, key string, o Owner) error {
	value, err := json.Marshal(claim{o, time.Now().UTC()})
	if err != nil {
		return err
	}
	_, err = a.cfg.Store.Create(ctx, key, value, 0)
	if !errors.Is(err, store.ErrExists) {
		return err
	}
	kv, err := a.cfg.Store.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return errTaken // released this moment; another will do
	} else if err != nil {
		return err
	}
	if have, ok := parse(kv); ok && have.UID == o.UID {
		return nil
	}
	return errTaken
}

// release gives a claim up if it is the owner's.
func (a *Allocator) release(ctx context.Context, key string, o Owner) error {
	kv, err := a.cfg.Store.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	if have, ok := parse(kv); !ok || have.UID != o.UID {
		return nil
	}
	_, _, err = a.cfg.Store.Delete(ctx, key, kv.Revision)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
		return nil
	}
	return err
}

func parse(kv store.KV) (claim, bool) {
	var c claim
	return c, json.Unmarshal(kv.Value, &c) == nil
}
