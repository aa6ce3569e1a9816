// Package templates compares and names pod templates.
package templates

import (
	"encoding/binary"
	"hash/fnv"
	"strconv"

	corev1 "github.com/keelson/keelson/proto/gen/keelson/core/v1"
	"google.golang.org/protobuf/proto"
)

// safe has no vowels and none of the digits that look like them, so that a hash never spells a word.
const safe = "bcdfghjklmnpqrstvwxz2456789"

// Hash names a pod template. It only has to be the same for the same template: equality is always decided by
// comparing templates, and collisions, which raises the number, gives a second template of the same hash another one.
func Hash(template *corev1.PodTemplateSpec, collisions int32) string {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(template)
	if err != nil {
		// Only a string that is not UTF-8 can fail, and those never pass the API server.
		raw = []byte(err.Error())
	}
	h := fnv.New32a()
	h.Write(raw)
	if collisions > 0 {
		h.Write(binary.LittleEndian.AppendUint32(nil, uint32(collisions)))
	}
	digits := []byte(strconv.FormatUint(uint64(h.Sum32()), 10))
	for i, c := range digits {
		digits[i] = safe[int(c)%len(safe)]
	}
	return string(digits)
}
