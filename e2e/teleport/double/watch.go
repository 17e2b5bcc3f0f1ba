package double

import (
	"context"
	"errors"
	"sync"

	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var (
	// errWatcherClosed is how a watch ends when the server does.
	errWatcherClosed = status.Error(codes.Unknown, "watcher closed")
	// errWatchOver ends a watch without an error.
	errWatchOver = errors.New("the watch is over")
)

// endOfWatch is how a watch ends in this version.
func (v version) endOfWatch() error {
	if v.since(6, 0) {
		return errWatcherClosed
	}
	return errWatchOver
}

// watcher is a running watch: a queue of events that only its own stream empties.
type watcher struct {
	filters []types.AccessRequestFilter
	mu      sync.Mutex
	events  []*proto.Event
	ended   error
	signal  chan struct{}
}

func (w *watcher) push(event *proto.Event, ended error) {
	w.mu.Lock()
	if event != nil {
		w.events = append(w.events, event)
	}
	if ended != nil {
		w.ended = ended
	}
	w.mu.Unlock()
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// take waits for events, or for the end.
func (w *watcher) take(ctx context.Context) ([]*proto.Event, error) {
	for {
		w.mu.Lock()
		events, ended := w.events, w.ended
		w.events = nil
		w.mu.Unlock()
		if ended != nil {
			return nil, ended
		}
		if len(events) > 0 {
			return events, nil
		}
		select {
		case <-w.signal:
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
}

// WatchEvents implements the service.
func (s *service) WatchEvents(watch *proto.Watch, stream proto.AuthService_WatchEventsServer) error {
	ctx := stream.Context()
	caller, err := s.double.caller(ctx)
	if err != nil {
		return err
	}
	if len(watch.Kinds) == 0 {
		return status.Error(codes.PermissionDenied, "can't setup global watch")
	}
	w := &watcher{signal: make(chan struct{}, 1)}
	var confirmed []types.WatchKind
	for _, kind := range watch.Kinds {
		filter, err := watchable(caller, kind)
		if kind.Kind != types.KindAccessRequest && !s.double.version.anyKind() {
			err = status.Errorf(codes.PermissionDenied, "not authorized to watch %s events", kind.Kind)
		}
		if err != nil {
			if watch.AllowPartialSuccess && s.double.version.watchStatus() {
				continue
			}
			return err
		}
		confirmed = append(confirmed, kind)
		if filter != nil {
			w.filters = append(w.filters, *filter)
		}
	}
	if len(confirmed) == 0 {
		return status.Error(codes.InvalidArgument, "none of the requested kinds can be watched")
	}
	init := &proto.Event{Type: proto.Operation_INIT}
	if s.double.version.watchStatus() {
		init.Resource = &proto.Event_WatchStatus{WatchStatus: types.NewWatchStatus(confirmed)}
	}
	s.double.state.watch(w, init)
	defer s.double.state.unwatch(w)
	for {
		events, err := w.take(ctx)
		if errors.Is(err, errWatchOver) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, event := range events {
			s.double.Faults.waitUnstalled(ctx)
			if err := stream.Send(event); err != nil {
				return err
			}
		}
	}
}

// watchable answers the filter of a kind that the caller may watch; no filter for kinds of which nothing ever happens here.
func watchable(caller caller, kind types.WatchKind) (*types.AccessRequestFilter, error) {
	if kind.Kind != types.KindAccessRequest {
		return nil, caller.may(types.VerbRead, kind.Kind)
	}
	filter := &types.AccessRequestFilter{}
	if err := filter.FromMap(kind.Filter); err != nil {
		return nil, asStatus(err)
	}
	if filter.User != "" && filter.User == caller.name {
		return filter, nil
	}
	return filter, caller.may(types.VerbRead, kind.Kind)
}

func (s *state) watch(w *watcher, init *proto.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.push(init, nil)
	s.watchers[w] = struct{}{}
}

func (s *state) unwatch(w *watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watchers, w)
}

func (s *state) watches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.watchers)
}

func (s *state) closeWatchers(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watchers {
		w.push(nil, err)
	}
}

// tell hands an event to the watchers whose filter lets it through. The lock is held.
func (s *state) tell(event *proto.Event, passes func(types.AccessRequestFilter) bool) {
	for w := range s.watchers {
		for _, filter := range w.filters {
			if passes(filter) {
				w.push(event, nil)
				break
			}
		}
	}
}

func putEvent(request *types.AccessRequestV3) *proto.Event {
	return &proto.Event{Type: proto.Operation_PUT, Resource: &proto.Event_AccessRequest{AccessRequest: request}}
}

func deleteEvent(id string) *proto.Event {
	return &proto.Event{Type: proto.Operation_DELETE, Resource: &proto.Event_ResourceHeader{ResourceHeader: &types.ResourceHeader{
		Kind: types.KindAccessRequest, Version: types.V3, Metadata: types.Metadata{Name: id, Namespace: "default"},
	}}}
}
