package fairness

// bytesPerSeat is about what can be written in the time that a request for a single object takes, many times over: a
// list is charged for what it carries, not for being a list.
const bytesPerSeat = 512 << 10

// Width is how many seats an answer of so many bytes takes.
func Width(bytes int64) int {
	return int(min(1+bytes/bytesPerSeat, maxWidth))
}
