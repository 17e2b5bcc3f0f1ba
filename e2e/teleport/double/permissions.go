package double

import (
	"context"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/gravitational/teleport/api/types"
)

// caller is who calls: the user and roles in the client certificate, or nobody where there was none.
type caller struct {
	name  string
	roles []*resource
}

func (s *state) caller(ctx context.Context) (caller, error) {
	from, ok := peer.FromContext(ctx)
	if !ok {
		return caller{}, status.Error(codes.Internal, "no peer")
	}
	info, ok := from.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return caller{}, nil
	}
	subject := info.State.PeerCertificates[0].Subject
	if _, ok := s.user(subject.CommonName); !ok {
		return caller{}, status.Errorf(codes.PermissionDenied, "access denied: user %q not found", subject.CommonName)
	}
	return caller{name: subject.CommonName, roles: s.rolesNamed(subject.Organization)}, nil
}

// may answers an error in Teleport's words where the caller's roles do not allow the verb on the kind.
func (c caller) may(verb, kind string) error {
	covers := func(r rule) bool {
		return (slices.Contains(r.Resources, kind) || slices.Contains(r.Resources, types.Wildcard)) &&
			(slices.Contains(r.Verbs, verb) || slices.Contains(r.Verbs, types.Wildcard))
	}
	allowed := false
	for _, role := range c.roles {
		if slices.ContainsFunc(role.Spec.Deny.Rules, covers) {
			allowed = false
			break
		}
		allowed = allowed || slices.ContainsFunc(role.Spec.Allow.Rules, covers)
	}
	if !allowed {
		return status.Errorf(codes.PermissionDenied, "access denied to perform action %q on %q", verb, kind)
	}
	return nil
}

// hasReviewRights tells whether any of the roles lets review anything.
func hasReviewRights(roles []*resource) bool {
	return slices.ContainsFunc(roles, func(role *resource) bool { return len(role.Spec.Allow.Review.Roles) > 0 })
}

// mayReview tells whether a user with these roles may review the request.
func mayReview(name string, roles []*resource, request *types.AccessRequestV3) bool {
	if name == request.GetUser() {
		return false
	}
	for _, wanted := range request.GetOriginalRoles() {
		allowed := false
		for _, role := range roles {
			if matches(role.Spec.Deny.Review.Roles, wanted) {
				return false
			}
			allowed = allowed || matches(role.Spec.Allow.Review.Roles, wanted)
		}
		if !allowed {
			return false
		}
	}
	return true
}
