// Package teleport is what tests and the demo know of a Teleport cluster. There are two: the real server
// (package real), and a fast double with faults to order (package double). The same tests run against both, so that the
// double cannot drift from what it stands for.
package teleport

import (
	"context"
	"time"
)

// Cluster is a Teleport cluster: an auth server and a proxy on loopback.
type Cluster interface {
	// Kind is "real" or "double".
	Kind() string
	// Name of the cluster.
	Name() string
	// Version of the server, such as "13.3.8".
	Version() string
	// AuthAddress is the auth server's "host:port".
	AuthAddress() string
	// ProxyAddress is the proxy's "host:port"; it does TLS routing.
	ProxyAddress() string
	// CreateResources makes or replaces roles and users, given in Teleport's YAML as for `tctl create -f`.
	CreateResources(ctx context.Context, yaml string) error
	// Sign issues credentials for a user, as `tctl auth sign` does. A ttl of 0 means 12 hours.
	Sign(ctx context.Context, user string, ttl time.Duration) (*Credentials, error)
	// Audit answers the audit events about an access request, oldest first.
	Audit(ctx context.Context, requestID string) ([]AuditEvent, error)
	// Stop ends the server as an admin would; the state is kept.
	Stop()
	// Start lets a stopped server serve again, at the same addresses and with the same state.
	Start(ctx context.Context) error
	// Close ends the server and removes what it kept.
	Close()
}

// AuditEvent is an entry of Teleport's audit log about an access request, in Teleport's own field names.
type AuditEvent struct {
	// Event is access_request.create, .update, .review, .delete or .expire.
	Event string `json:"event"`
	// RequestID is the request's id.
	RequestID string `json:"id"`
	// State is the request's state after the event, such as APPROVED.
	State string `json:"state,omitempty"`
	// User who asked (create).
	User string `json:"user,omitempty"`
	// UpdatedBy is the Teleport user who called.
	UpdatedBy string `json:"updated_by,omitempty"`
	// Delegator is on whose behalf, as the caller said.
	Delegator string `json:"delegator,omitempty"`
	// Reason is the requester's or decider's words.
	Reason string `json:"reason,omitempty"`
	// Reviewer is a review's author.
	Reviewer string `json:"reviewer,omitempty"`
	// ProposedState is a review's verdict.
	ProposedState string `json:"proposed_state,omitempty"`
	// Time of the event.
	Time time.Time `json:"time"`
}

// Names of the audit events.
const (
	EventCreate = "access_request.create"
	EventUpdate = "access_request.update"
	EventReview = "access_request.review"
	EventDelete = "access_request.delete"
)

// Updates answers the events among those given in which the request's state was set outright.
func Updates(events []AuditEvent) []AuditEvent {
	var updates []AuditEvent
	for _, event := range events {
		if event.Event == EventUpdate {
			updates = append(updates, event)
		}
	}
	return updates
}
