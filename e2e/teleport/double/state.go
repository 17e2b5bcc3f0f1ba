package double

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// expiryRound is how often requests are looked through for expired ones.
const expiryRound = 100 * time.Millisecond

// state is what a Teleport cluster remembers. Requests in it are never changed in place: a change puts a new one.
type state struct {
	mu       sync.Mutex
	roles    map[string]*resource
	users    map[string]*resource
	requests map[string]*types.AccessRequestV3
	audit    []teleport.AuditEvent
	watchers map[*watcher]struct{}
	journal  *journal
}

func newState(journal *journal) (*state, error) {
	s := &state{
		roles: map[string]*resource{}, users: map[string]*resource{},
		requests: map[string]*types.AccessRequestV3{}, watchers: map[*watcher]struct{}{},
	}
	if err := journal.replay(s); err != nil {
		return nil, err
	}
	s.journal = journal
	return s, nil
}

func (s *state) user(name string) (*resource, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	user, ok := s.users[name]
	return user, ok
}

// rolesNamed answers the roles that exist among the names.
func (s *state) rolesNamed(names []string) []*resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	var roles []*resource
	for _, name := range names {
		if role, ok := s.roles[name]; ok {
			roles = append(roles, role)
		}
	}
	return roles
}

func (s *state) putResource(one *resource, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one.Kind == "role" {
		s.roles[one.Metadata.Name] = one
	} else {
		for _, role := range one.Spec.Roles {
			if _, ok := s.roles[role]; !ok {
				return fmt.Errorf("role %q is not found", role)
			}
		}
		s.users[one.Metadata.Name] = one
	}
	return s.journal.write(entry{Resource: text})
}

// DeleteUser takes a user away. Their certificates are good for nothing then.
func (d *Double) DeleteUser(name string) error {
	s := d.state
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.users[name]; !ok {
		return fmt.Errorf("user %q not found", name)
	}
	delete(s.users, name)
	return s.journal.write(entry{NoUser: name})
}

// create adds a request.
func (s *state) create(request *types.AccessRequestV3) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.requests[request.GetName()]; ok {
		return status.Errorf(codes.AlreadyExists, "access request %q already exists", request.GetName())
	}
	return s.put(request, teleport.AuditEvent{
		Event: teleport.EventCreate, User: request.GetUser(), Reason: request.GetRequestReason(),
	})
}

// change lets edit work on a copy of a request and puts it. The missing error is for a request that is not there.
func (s *state) change(id string, missing error, edit func(*types.AccessRequestV3) (teleport.AuditEvent, error)) (*types.AccessRequestV3, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.requests[id]
	if !ok {
		return nil, missing
	}
	request := old.Copy().(*types.AccessRequestV3)
	event, err := edit(request)
	if err != nil {
		return nil, err
	}
	return request, s.put(request, event)
}

// put keeps a request, the audit event about it, and tells the watchers. The lock is held.
func (s *state) put(request *types.AccessRequestV3, event teleport.AuditEvent) error {
	event.RequestID, event.State, event.Time = request.GetName(), request.GetState().String(), time.Now().UTC()
	if err := s.journal.write(entry{Put: request, Audit: &event}); err != nil {
		return err
	}
	s.requests[request.GetName()] = request
	s.audit = append(s.audit, event)
	s.tell(putEvent(request), func(filter types.AccessRequestFilter) bool { return filter.Match(request) })
	return nil
}

// remove takes a request away.
func (s *state) remove(id, updatedBy string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.requests[id]; !ok {
		return status.Errorf(codes.NotFound, "cannot delete access request %q (not found)", id)
	}
	return s.drop(id, &teleport.AuditEvent{Event: teleport.EventDelete, RequestID: id, UpdatedBy: updatedBy, Time: time.Now().UTC()})
}

// drop removes a request and tells the watchers. The lock is held.
func (s *state) drop(id string, event *teleport.AuditEvent) error {
	if err := s.journal.write(entry{Delete: id, Audit: event}); err != nil {
		return err
	}
	delete(s.requests, id)
	if event != nil {
		s.audit = append(s.audit, *event)
	}
	// A deletion says no more than the id, so filters cannot hold it back.
	s.tell(deleteEvent(id), func(types.AccessRequestFilter) bool { return true })
	return nil
}

// list answers the requests that match, oldest first.
func (s *state) list(match func(*types.AccessRequestV3) bool) []*types.AccessRequestV3 {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.requests))
	s.mu.Unlock()
	all = slices.DeleteFunc(all, func(request *types.AccessRequestV3) bool { return !match(request) })
	slices.SortFunc(all, func(one, other *types.AccessRequestV3) int {
		if order := one.GetCreationTime().Compare(other.GetCreationTime()); order != 0 {
			return order
		}
		return strings.Compare(one.GetName(), other.GetName())
	})
	return all
}

func (s *state) auditOf(id string) []teleport.AuditEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	var events []teleport.AuditEvent
	for _, event := range s.audit {
		if event.RequestID == id {
			events = append(events, event)
		}
	}
	return events
}

// expireForever removes requests whose time is over. Teleport writes no audit event about that.
func (s *state) expireForever(ctx context.Context, lingers time.Duration) {
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-time.After(expiryRound):
			s.mu.Lock()
			for id, request := range s.requests {
				if expiry := request.Expiry(); !expiry.IsZero() && !expiry.Add(lingers).After(now) {
					// Should the disk fail, the next round tries again.
					_ = s.drop(id, nil)
				}
			}
			s.mu.Unlock()
		}
	}
}

func (s *state) expireNow(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.requests[id]; !ok {
		return errors.New("there is no such request")
	}
	return s.drop(id, nil)
}
