// Package pods makes the pods that the benchmark stores. A pod looks like one of a real application, has 1.9 KB as
// JSON, and carries a mark of fixed length, so that a copy of it in any encoding can be changed in place.
package pods

import (
	"bytes"
	_ "embed"
	"fmt"
	"strconv"
	"time"

	"github.com/keelson/keelson/proto/codec"
	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
)

const (
	// MarkKey is the annotation that holds the mark.
	MarkKey = "bench.keelson.dev/sent"
	// Mark starts the annotation's value; markDigits digits follow, Unix time in nanoseconds.
	Mark       = "mark-"
	markDigits = 19
	// Cohorts is how many values the label "cohort" has: one of them selects 1% of the pods.
	Cohorts = 100
)

//go:embed pod.json
var template []byte

// Placeholders of the template, each as long as what replaces it.
const (
	nameHolder   = "bench-000000"
	cohortHolder = "cohort-00"
	halfHolder   = "half-0"
)

// Name of the pod with an index below a million.
func Name(i int) string { return fmt.Sprintf("bench-%06d", i) }

// Cohort is a label selector for 1% of the pods.
func Cohort(i int) string { return fmt.Sprintf("cohort=cohort-%02d", i%Cohorts) }

// Half is a label selector for every other pod.
func Half(i int) string { return fmt.Sprintf("half=half-%d", i%2) }

// JSON of the pod with an index.
func JSON(namespace string, i int) []byte {
	b := bytes.ReplaceAll(template, []byte(nameHolder), []byte(Name(i)))
	b = bytes.Replace(b, []byte(cohortHolder), fmt.Appendf(nil, "cohort-%02d", i%Cohorts), 1)
	b = bytes.Replace(b, []byte(halfHolder), fmt.Appendf(nil, "half-%d", i%2), 1)
	return bytes.Replace(b, []byte("NAMESPACE"), []byte(namespace), 1)
}

// Message is the same pod as a message.
func Message(namespace string, i int) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	if _, err := codec.Unmarshal(JSON(namespace, i), pod, codec.DecodeOptions{Validation: codec.Strict}); err != nil {
		return nil, fmt.Errorf("sample pod: %w", err)
	}
	return pod, nil
}

// Value of the mark's annotation for a time.
func Value(t time.Time) string { return fmt.Sprintf("%s%0*d", Mark, markDigits, t.UnixNano()) }

// Stamp puts a time into the mark of an encoded pod, in place. It tells whether there is a mark.
func Stamp(encoded []byte, t time.Time) bool {
	i := bytes.Index(encoded, []byte(Mark))
	if i < 0 || len(encoded) < i+len(Mark)+markDigits {
		return false
	}
	copy(encoded[i:], Value(t))
	return true
}

// Sent reads the mark of an encoded pod.
func Sent(encoded []byte) (time.Time, bool) {
	i := bytes.Index(encoded, []byte(Mark))
	if i < 0 || len(encoded) < i+len(Mark)+markDigits {
		return time.Time{}, false
	}
	i += len(Mark)
	n, err := strconv.ParseInt(string(encoded[i:i+markDigits]), 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	return time.Unix(0, n), true
}

// Counter counts the pods and the bytes of a list in any encoding, without decoding it.
type Counter struct {
	// Bytes and Pods seen so far.
	Bytes int64
	Pods  int
	// tail holds the end of the last write, in which a mark may have begun.
	tail []byte
}

// Write implements io.Writer; it does not fail.
func (c *Counter) Write(p []byte) (int, error) {
	c.Bytes += int64(len(p))
	const keep = len(Mark) - 1
	seam := append(c.tail, p[:min(keep, len(p))]...)
	c.Pods += bytes.Count(seam, []byte(Mark)) + bytes.Count(p, []byte(Mark))
	if len(p) >= keep {
		c.tail = append(c.tail[:0], p[len(p)-keep:]...)
	} else {
		c.tail = append(c.tail[:0], seam[max(0, len(seam)-keep):]...)
	}
	return len(p), nil
}
