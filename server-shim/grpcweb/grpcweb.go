// Package grpcweb holds the few pieces of the gRPC-web wire format that neither connect-go nor net/http offers: whole
// frames, the frame that carries trailers, and answers that consist of nothing else.
//
// The format is described in https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md.
package grpcweb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
)

// ContentType is the media type of requests and responses that carry protobuf messages in binary.
const ContentType = "application/grpc-web+proto"

const (
	headerLength = 5
	trailerFlag  = 0x80
)

// ErrFrameTooLarge says that a frame is longer than the reader takes.
var ErrFrameTooLarge = errors.New("the message is too large")

// Status is how a call ended, and what more the trailers say.
type Status struct {
	Code    connect.Code
	Message string
	// Metadata holds further trailers; names in lower case.
	Metadata map[string]string
}

// Frame is the status as the last frame of a body.
func (s Status) Frame() []byte {
	trailers := http.Header{}
	for name, value := range s.Metadata {
		trailers.Set(name, value)
	}
	trailers.Set("Grpc-Status", strconv.FormatUint(uint64(s.Code), 10))
	if s.Message != "" {
		trailers.Set("Grpc-Message", encodeMessage(s.Message))
	}
	return TrailerFrame(trailers)
}

// Write answers with the status and nothing else.
func (s Status) Write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", ContentType)
	w.WriteHeader(http.StatusOK)
	// Whoever does not listen any more needs no answer.
	_, _ = w.Write(s.Frame())
}

// Response is an HTTP response to request that carries the status and nothing else.
func (s Status) Response(request *http.Request) *http.Response {
	return &http.Response{
		Status:        "200 OK",
		StatusCode:    http.StatusOK,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        http.Header{"Content-Type": {ContentType}},
		Body:          io.NopCloser(bytes.NewReader(s.Frame())),
		ContentLength: -1,
		Request:       request,
	}
}

// TrailerFrame packs trailers into the frame that ends a body. Names become lower case, as the format asks for.
func TrailerFrame(trailers http.Header) []byte {
	names := make([]string, 0, len(trailers))
	for name := range trailers {
		names = append(names, name)
	}
	sort.Strings(names)
	frame := make([]byte, headerLength, 64)
	for _, name := range names {
		for _, value := range trailers[name] {
			frame = append(frame, strings.ToLower(name)...)
			frame = append(frame, ": "...)
			// A line break in a value would start another trailer.
			frame = append(frame, strings.NewReplacer("\r", " ", "\n", " ").Replace(value)...)
			frame = append(frame, "\r\n"...)
		}
	}
	frame[0] = trailerFlag
	binary.BigEndian.PutUint32(frame[1:], uint32(len(frame)-headerLength))
	return frame
}

// IsTrailerFrame says whether a whole frame carries trailers.
func IsTrailerFrame(frame []byte) bool {
	return len(frame) > 0 && frame[0]&trailerFlag != 0
}

// ReadFrame reads one whole frame, its head included, of at most limit bytes of content. It returns io.EOF where the
// body ends before a frame, io.ErrUnexpectedEOF where it ends within one, and ErrFrameTooLarge.
func ReadFrame(body io.Reader, limit int64) ([]byte, error) {
	var head [headerLength]byte
	if _, err := io.ReadFull(body, head[:]); err != nil {
		return nil, err
	}
	length := int64(binary.BigEndian.Uint32(head[1:]))
	if length > limit {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are taken", ErrFrameTooLarge, length, limit)
	}
	var frame bytes.Buffer
	frame.Write(head[:])
	// The buffer grows with what arrives, not with what the head announces.
	if _, err := io.CopyN(&frame, body, length); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return frame.Bytes(), nil
}

// Boundary follows a body and knows whether it stands between two frames, where a further frame may be put.
type Boundary struct {
	head []byte
	left int64
	// Ended is true once a frame with trailers has begun: nothing may follow it.
	Ended bool
}

// Follow takes note of the next piece of the body.
func (b *Boundary) Follow(piece []byte) {
	for len(piece) > 0 {
		if b.left > 0 {
			n := min(b.left, int64(len(piece)))
			b.left -= n
			piece = piece[n:]
			continue
		}
		n := min(headerLength-len(b.head), len(piece))
		b.head = append(b.head, piece[:n]...)
		piece = piece[n:]
		if len(b.head) == headerLength {
			b.left = int64(binary.BigEndian.Uint32(b.head[1:]))
			b.Ended = b.Ended || IsTrailerFrame(b.head)
			b.head = b.head[:0]
		}
	}
}

// Longest is the length that the longest of the messages has which are under way in the next piece of the body: begun in
// it, or before it and going on in it. It does not take note of the piece.
func (b *Boundary) Longest(piece []byte) int64 {
	after := Boundary{head: append([]byte(nil), b.head...), left: b.left}
	longest := b.left
	for len(piece) > 0 {
		if after.left > 0 {
			n := min(after.left, int64(len(piece)))
			after.left -= n
			piece = piece[n:]
			continue
		}
		n := min(headerLength-len(after.head), len(piece))
		after.head = append(after.head, piece[:n]...)
		piece = piece[n:]
		if len(after.head) == headerLength {
			after.left = int64(binary.BigEndian.Uint32(after.head[1:]))
			after.head = after.head[:0]
			longest = max(longest, after.left)
		}
	}
	return longest
}

// Between says whether the body stands between two frames.
func (b *Boundary) Between() bool {
	return b.left == 0 && len(b.head) == 0
}

// Timeout reads the value of a grpc-timeout header: up to eight digits and a unit. It is false where there is none, or
// none that makes sense.
func Timeout(value string) (time.Duration, bool) {
	if len(value) < 2 || len(value) > 9 {
		return 0, false
	}
	units := map[byte]time.Duration{
		'H': time.Hour, 'M': time.Minute, 'S': time.Second,
		'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
	}
	unit, known := units[value[len(value)-1]]
	amount, err := strconv.ParseUint(value[:len(value)-1], 10, 32)
	if !known || err != nil {
		return 0, false
	}
	const most = time.Duration(1<<63 - 1)
	if time.Duration(amount) > most/unit {
		return most, true
	}
	return time.Duration(amount) * unit, true
}

// encodeMessage percent-encodes what may not stand in a header, as gRPC asks for.
func encodeMessage(message string) string {
	var encoded strings.Builder
	for _, c := range []byte(message) {
		if c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&encoded, "%%%02X", c)
		} else {
			encoded.WriteByte(c)
		}
	}
	return encoded.String()
}
