package api

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/anishathalye/porcupine"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	ourmeta "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	resourcev1 "github.com/keelson/keelson/proto/gen/keelson/resource/v1"
)

// racer is a client that notes what it calls and what it is answered.
type racer struct {
	run   *run
	id    int
	r     *rand.Rand
	known map[int]int64 // the revisions that it has seen last
}

func (w *racer) work(ctx context.Context) {
	for ctx.Err() == nil {
		in := input{Key: w.r.IntN(registerCount)}
		switch n := w.r.IntN(20); {
		case n < 6:
			in.Op = opGet
		case n < 8:
			in.Op = opList
		case n < 12:
			in.Op = opCreate
		case n < 17:
			in.Op = opUpdate
		default:
			in.Op = opDelete
		}
		if in.Op == opCreate || in.Op == opUpdate {
			in.Value = fmt.Sprint("v", w.run.values.Add(1))
		}
		if (in.Op == opUpdate || in.Op == opDelete) && w.r.IntN(2) == 0 {
			in.Expected = w.known[in.Key]
		}
		c := pick(w.r, w.run.clients)
		call := w.run.now()
		// Not bounded by ctx: what is under way at the end is answered.
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		var out output
		var err error
		if w.r.IntN(2) == 0 {
			in.Way = "REST " + c.server.name
			out, err = w.rest(limited, c, in)
		} else {
			in.Way = "gRPC " + c.server.name
			out, err = w.grpc(limited, c, in)
		}
		cancel()
		back := w.run.now()
		if err == nil {
			out.Result = done
		} else if out = outcome(in, err); out.Result == "" {
			pause(ctx, 20*time.Millisecond)
			continue // has had no effect
		}
		if out.Revision > 0 {
			w.known[in.Key] = out.Revision
		} else if out.Cell.Revision > 0 {
			w.known[in.Key] = out.Cell.Revision
		}
		w.run.mu.Lock()
		w.run.ops = append(w.run.ops, porcupine.Operation{ClientId: w.id, Input: in, Call: call, Output: out, Return: back})
		w.run.mu.Unlock()
		if out.Result == unknown {
			pause(ctx, 50*time.Millisecond)
		}
		pause(ctx, time.Duration(w.r.IntN(8))*time.Millisecond)
	}
}

// outcome is what an error says. Result "" is that the call has had no effect.
func outcome(in input, err error) output {
	var dial syscall.Errno
	switch {
	case apierrors.IsAlreadyExists(err):
		return output{Result: exists}
	case apierrors.IsNotFound(err):
		return output{Result: missing}
	case apierrors.IsConflict(err):
		return output{Result: conflict}
	case in.Op == opGet, in.Op == opList, errors.As(err, &dial) && dial == syscall.ECONNREFUSED, strings.Contains(err.Error(), "connection refused"):
		return output{}
	}
	return output{Result: unknown}
}

func (w *racer) rest(ctx context.Context, c *clients, in input) (out output, err error) {
	client := c.json["configmaps"]
	if w.r.IntN(2) == 0 {
		client = c.protobuf["configmaps"]
	}
	name := register(in.Key)
	obj := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: registers, Labels: map[string]string{token: in.Value}}}
	var got corev1.ConfigMap
	// A write is sent once: a repeated one would find its own effect.
	switch in.Op {
	case opGet:
		if err = client.Get().MaxRetries(0).Namespace(registers).Resource("configmaps").Name(name).Do(ctx).Into(&got); err == nil {
			out.Cell = restCell(&got)
		}
		return out, err
	case opList:
		var list corev1.ConfigMapList
		out.Cells = new([registerCount]cell)
		err = client.Get().MaxRetries(0).Namespace(registers).Resource("configmaps").Do(ctx).Into(&list)
		for i := range list.Items {
			place(out.Cells, list.Items[i].Name, restCell(&list.Items[i]))
		}
		return out, err
	case opDelete:
		o := &metav1.DeleteOptions{}
		if in.Expected > 0 {
			o.Preconditions = &metav1.Preconditions{ResourceVersion: new(strconv.FormatInt(in.Expected, 10))}
		}
		return out, client.Delete().MaxRetries(0).Namespace(registers).Resource("configmaps").Name(name).Body(o).Do(ctx).Error()
	case opCreate:
		err = client.Post().MaxRetries(0).Namespace(registers).Resource("configmaps").Body(obj).Do(ctx).Into(&got)
	case opUpdate:
		if in.Expected > 0 {
			obj.ResourceVersion = strconv.FormatInt(in.Expected, 10)
		}
		err = client.Put().MaxRetries(0).Namespace(registers).Resource("configmaps").Name(name).Body(obj).Do(ctx).Into(&got)
	}
	out.Revision = restCell(&got).Revision
	return out, err
}

func restCell(m *corev1.ConfigMap) cell {
	rev, _ := strconv.ParseInt(m.ResourceVersion, 10, 64)
	return cell{rev, m.Labels[token]}
}

// place puts what a list shows where it belongs. Others' objects (kube-root-ca.crt) are not looked at.
func place(cells *[registerCount]cell, name string, c cell) {
	if n, err := strconv.Atoi(strings.TrimPrefix(name, "r")); err == nil && n < registerCount {
		cells[n] = c
	}
}

func (w *racer) grpc(ctx context.Context, c *clients, in input) (out output, err error) {
	t := target{k: kinds[0], ns: registers, name: register(in.Key)}
	obj := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: t.name, Namespace: registers, Labels: map[string]string{token: in.Value}}}
	switch in.Op {
	case opGet:
		resp, err := c.waist.Get(ctx, &resourcev1.GetRequest{Ref: t.ref()})
		if err != nil {
			return out, fromGRPC(err)
		}
		out.Cell, err = wireCell(resp.GetObject())
		return out, err
	case opList:
		out.Cells = new([registerCount]cell)
		p, err := c.listGRPC(ctx, byGRPC, selection{kind: t.k, namespace: registers}, metav1.ListOptions{})
		if err != nil {
			return out, err
		}
		for _, o := range p.objects {
			place(out.Cells, o.name, cell{o.revision, o.labels[token]})
		}
		return out, nil
	case opDelete:
		o := &ourmeta.DeleteOptions{}
		if in.Expected > 0 {
			o.Preconditions = &ourmeta.Preconditions{ResourceVersion: new(strconv.FormatInt(in.Expected, 10))}
		}
		_, err := c.waist.Delete(ctx, &resourcev1.DeleteRequest{Ref: t.ref(), Options: o})
		return out, fromGRPC(err)
	}
	if in.Op == opUpdate && in.Expected > 0 {
		obj.ResourceVersion = strconv.FormatInt(in.Expected, 10)
	}
	raw, err := obj.Marshal()
	if err != nil {
		return out, err
	}
	if in.Op == opCreate {
		resp, err := c.waist.Create(ctx, &resourcev1.CreateRequest{Ref: t.ref(), Object: &resourcev1.Object{Raw: raw}})
		return output{Revision: resp.GetObject().GetRevision()}, fromGRPC(err)
	}
	resp, err := c.waist.Update(ctx, &resourcev1.UpdateRequest{Ref: t.ref(), Object: &resourcev1.Object{Raw: raw}})
	return output{Revision: resp.GetObject().GetRevision()}, fromGRPC(err)
}

func wireCell(o *resourcev1.Object) (cell, error) {
	d, err := describeWire(o)
	if err != nil {
		return cell{}, err
	}
	return cell{d.revision, d.labels[token]}, nil
}
