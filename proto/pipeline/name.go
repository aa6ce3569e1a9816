package pipeline

import "math/rand/v2"

// Generated names: the base, cut to fit a DNS label, and five characters that make no words.
const (
	maxGeneratedBase = 58
	suffixLength     = 5
	suffixAlphabet   = "bcdfghjklmnpqrstvwxz2456789"
)

func generateName(base string) string {
	if len(base) > maxGeneratedBase {
		base = base[:maxGeneratedBase]
	}
	b := make([]byte, 0, len(base)+suffixLength)
	b = append(b, base...)
	for range suffixLength {
		b = append(b, suffixAlphabet[rand.IntN(len(suffixAlphabet))])
	}
	return string(b)
}
