package h2

import (
	"encoding/binary"

	"golang.org/x/net/http2"
)

// appendHeader appends the nine bytes before a frame's payload.
func appendHeader(b []byte, length int, t http2.FrameType, flags http2.Flags, id uint32) []byte {
	b = append(b, byte(length>>16), byte(length>>8), byte(length), byte(t), byte(flags))
	return binary.BigEndian.AppendUint32(b, id)
}

// appendUint32Frame appends a frame that holds one number: WINDOW_UPDATE or RST_STREAM.
func appendUint32Frame(b []byte, t http2.FrameType, id, value uint32) []byte {
	return binary.BigEndian.AppendUint32(appendHeader(b, 4, t, 0, id), value)
}

func appendSettings(b []byte, all ...http2.Setting) []byte {
	b = appendHeader(b, 6*len(all), http2.FrameSettings, 0, 0)
	for _, s := range all {
		b = binary.BigEndian.AppendUint16(b, uint16(s.ID))
		b = binary.BigEndian.AppendUint32(b, s.Val)
	}
	return b
}

func appendGoAway(b []byte, last uint32, code http2.ErrCode) []byte {
	b = appendHeader(b, 8, http2.FrameGoAway, 0, 0)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, last), uint32(code))
}

// appendBlock appends a header block as HEADERS and, where it is long, CONTINUATION.
func appendBlock(b, block []byte, id uint32, end bool) []byte {
	t, flags := http2.FrameHeaders, http2.Flags(0)
	if end {
		flags = http2.FlagHeadersEndStream
	}
	for {
		n := min(len(block), maxFrame)
		if n == len(block) {
			flags |= http2.FlagHeadersEndHeaders
		}
		b = append(appendHeader(b, n, t, flags, id), block[:n]...)
		if block = block[n:]; len(block) == 0 {
			return b
		}
		t, flags = http2.FrameContinuation, 0
	}
}

// appendData appends a body as DATA frames.
func appendData(b, data []byte, id uint32, end bool) []byte {
	for {
		n := min(len(data), maxFrame)
		flags := http2.Flags(0)
		if end && n == len(data) {
			flags = http2.FlagDataEndStream
		}
		b = append(appendHeader(b, n, http2.FrameData, flags, id), data[:n]...)
		if data = data[n:]; len(data) == 0 {
			return b
		}
	}
}
