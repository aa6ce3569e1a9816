package podstream

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/keelson/keelson/proto/apierrors"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	metav1 "github.com/keelson/keelson/proto/gen/keelson/meta/v1"
	tunnelv1 "github.com/keelson/keelson/proto/gen/keelson/tunnel/v1"
)

// log answers with a container's log as plain text.
func (h *Handler) log(w http.ResponseWriter, r *http.Request, pod *corev1.Pod) error {
	o, name, err := logOptions(r.URL.Query(), pod.GetMetadata().GetName(), time.Now())
	if err != nil {
		return err
	}
	c, err := container(pod, name)
	if err != nil {
		return err
	}
	if pod.GetSpec().GetNodeName() == "" {
		// A pod without a node has said nothing yet.
		w.Header().Set("Content-Type", "text/plain")
		return nil
	}
	o.Container = address(pod, c)
	s, err := h.open(r.Context(), pod, &tunnelv1.ConnectResponse{Operation: &tunnelv1.ConnectResponse_Log{Log: o}})
	if err != nil {
		return err
	}
	defer s.Close()

	started := false
	start := func() {
		if !started {
			started = true
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Cache-Control", "no-cache, private")
			w.WriteHeader(http.StatusOK)
		}
	}
	for {
		frame, err := s.Recv()
		switch {
		case errors.Is(err, io.EOF):
			start()
			return nil
		case err != nil && started:
			panic(http.ErrAbortHandler) // a log that breaks off must not look complete
		case err != nil:
			return apierrors.NewInternal(fmt.Errorf("node %s: %w", pod.GetSpec().GetNodeName(), err))
		}
		switch f := frame.GetFrame().(type) {
		case *tunnelv1.SessionRequest_Accept:
			if o.GetFollow() {
				// A follower is told that the connection stands before the first line.
				start()
				_ = http.NewResponseController(w).Flush()
			}
		case *tunnelv1.SessionRequest_Data:
			start()
			if _, err := w.Write(f.Data.GetPayload()); err != nil {
				return nil //nolint:nilerr // the reader is gone
			}
			if o.GetFollow() {
				_ = http.NewResponseController(w).Flush()
			}
		case *tunnelv1.SessionRequest_Exit:
			switch {
			case f.Exit.GetError() == "":
				start()
			case !started:
				return exitError(f.Exit)
			default:
				_, _ = io.WriteString(w, f.Exit.GetError()+"\n")
			}
			return nil
		}
	}
}

// logOptions reads the query of a log request.
func logOptions(q url.Values, pod string, now time.Time) (*tunnelv1.LogOptions, string, error) {
	o := &tunnelv1.LogOptions{Follow: flag(q, "follow"), Previous: flag(q, "previous"), Timestamps: flag(q, "timestamps"), Stream: q.Get("stream")}
	var bad []*metav1.StatusCause
	add := func(reason, field, message string) {
		bad = append(bad, &metav1.StatusCause{Reason: reason, Field: field, Message: message})
	}
	number := func(key string, min int64) (*int64, error) {
		if !q.Has(key) || q.Get(key) == "" {
			return nil, nil
		}
		n, err := strconv.ParseInt(q.Get(key), 10, 64)
		if err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		if n < min {
			word := "must be greater than 0"
			if min == 0 {
				word = "must be greater than or equal to 0"
			}
			add(apierrors.CauseFieldInvalid, key, fmt.Sprintf("Invalid value: %d: %s", n, word))
		}
		return &n, nil
	}
	var err error
	if o.TailLines, err = number("tailLines", 0); err != nil {
		return nil, "", err
	}
	if o.LimitBytes, err = number("limitBytes", 1); err != nil {
		return nil, "", err
	}
	seconds, err := number("sinceSeconds", 1)
	if err != nil {
		return nil, "", err
	}
	switch since := q.Get("sinceTime"); {
	case seconds != nil && since != "":
		add(apierrors.CauseFieldForbidden, "", "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified")
	case seconds != nil:
		o.Since = timestamppb.New(now.Add(-time.Duration(*seconds) * time.Second))
	case since != "":
		t, err := time.Parse(time.RFC3339, since)
		if err != nil {
			return nil, "", apierrors.NewBadRequest(err.Error())
		}
		o.Since = timestamppb.New(t)
	}
	switch strings.ToLower(o.Stream) {
	case "", "all", "stdout", "stderr":
	default:
		add(apierrors.CauseFieldNotSupported, "stream", fmt.Sprintf("Unsupported value: %q: supported values: \"All\", \"Stderr\", \"Stdout\"", o.Stream))
	}
	if len(bad) > 0 {
		return nil, "", apierrors.NewInvalid("", "PodLogOptions", pod, bad)
	}
	return o, q.Get("container"), nil
}

// flag reads a boolean of the query: present and neither "false" nor "0".
func flag(q url.Values, key string) bool {
	if !q.Has(key) {
		return false
	}
	v := strings.ToLower(q.Get(key))
	return v != "false" && v != "0"
}
