package wasm

import (
	"context"
	"net/http"
)

// Whatever comes from outside is a stranger's, unless it is said to be the host's own: clicks, dialogs, commands, the
// browser's calls. Strangers' exchanges have a share of their own, of exchanges and of memory. What exceeds it is refused
// before it is in the module, so that they never take what the core's own calls need.

type laneKey struct{}

// InLane says on whose behalf a request is sent: requests of different lanes do not keep each other waiting, and none
// may have more than its part of the strangers' share.
func InLane(ctx context.Context, lane string) context.Context {
	return context.WithValue(ctx, laneKey{}, lane)
}

// laneOf is the lane of a stranger's request.
func laneOf(ctx context.Context) string {
	lane, _ := ctx.Value(laneKey{}).(string)
	return lane
}

// hooksLane is the lane of what the host itself asks. Answers have the name of the destination as their lane: "host", or
// one for each cluster.
const hooksLane = "hooks"

// Own is the way into the core for what the host itself wants of it: settings, metrics, support. All else is a
// stranger's, see RoundTrip.
func (a *Actor) Own() http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) { return a.roundTrip(request, false) })
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip sends a request.
func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// share is what strangers' exchanges may have of the module, and what they have. Only the instance's owner uses it.
type share struct {
	exchanges, bytes         int
	laneExchanges, laneBytes int

	now   usage
	lanes map[string]usage
}

// usage is what is under way: exchanges, and the bytes that were handed over for them.
type usage struct {
	exchanges, bytes int
}

func newShare(config Config) *share {
	return &share{
		exchanges:     config.ForeignExchanges,
		bytes:         config.ForeignBytes,
		laneExchanges: max(1, config.ForeignExchanges/laneParts),
		laneBytes:     max(1, config.ForeignBytes/laneBytesParts),
		lanes:         map[string]usage{},
	}
}

// laneParts and laneBytesParts are how many lanes it takes at least to use up the share of exchanges, and of bytes: there
// are calls of a megabyte.
const (
	laneParts      = 8
	laneBytesParts = 4
)

// enter makes room for a new exchange. It is false where there is none.
func (s *share) enter(ex *exchange) bool {
	if !ex.foreign {
		return true
	}
	lane := s.lanes[ex.lane]
	if s.now.exchanges >= s.exchanges || lane.exchanges >= s.laneExchanges {
		return false
	}
	s.now.exchanges++
	lane.exchanges++
	s.lanes[ex.lane] = lane
	return true
}

// hold makes room for bytes of an exchange, until it is over. It is false where there is none.
func (s *share) hold(ex *exchange, bytes int) bool {
	if !ex.foreign {
		return true
	}
	lane := s.lanes[ex.lane]
	if s.now.bytes+bytes > s.bytes || lane.bytes+bytes > s.laneBytes {
		return false
	}
	ex.held += bytes
	s.now.bytes += bytes
	lane.bytes += bytes
	s.lanes[ex.lane] = lane
	return true
}

// leave gives back what an exchange had.
func (s *share) leave(ex *exchange) {
	if !ex.foreign {
		return
	}
	lane := s.lanes[ex.lane]
	s.now.exchanges--
	s.now.bytes -= ex.held
	lane.exchanges--
	lane.bytes -= ex.held
	ex.held = 0
	if lane.exchanges > 0 {
		s.lanes[ex.lane] = lane
	} else {
		delete(s.lanes, ex.lane)
	}
}
