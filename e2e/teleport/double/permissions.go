package double

import (
	"context"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/gravitational/teleport/api/mfa"
	"github.com/gravitational/teleport/api/types"
)

// caller is who calls: the user and roles in the client certificate, or nobody where there was none.
type caller struct {
	name  string
	roles []*resource
	// bot is set for a user of Machine ID.
	bot bool
	// opaque is set where the server does not tell missing rights from missing things.
	opaque bool
}

// caller answers who calls, as this version tells them what they may not do.
func (d *Double) caller(ctx context.Context) (caller, error) {
	who, err := d.state.caller(ctx)
	who.opaque = d.version.opaque()
	return who, err
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
	user, ok := s.user(subject.CommonName)
	if !ok {
		return caller{}, status.Errorf(codes.PermissionDenied, "access denied: user %q not found", subject.CommonName)
	}
	_, bot := user.Metadata.Labels[types.BotLabel]
	return caller{name: subject.CommonName, roles: s.rolesNamed(subject.Organization), bot: bot}, nil
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
	if !allowed && c.opaque {
		return status.Error(codes.NotFound, "object not found")
	}
	if !allowed {
		return status.Errorf(codes.PermissionDenied, "access denied to perform action %q on %q", verb, kind)
	}
	return nil
}

// mayAll answers an error for the first of the verbs that the caller's roles do not allow on the kind.
func (c caller) mayAll(kind string, verbs ...string) error {
	for _, verb := range verbs {
		if err := c.may(verb, kind); err != nil {
			return err
		}
	}
	return nil
}

// submitsFor tells whether the caller may submit reviews of that author.
func (c caller) submitsFor(author string) bool {
	allowed := false
	for _, role := range c.roles {
		if matches(role.Spec.Deny.Review.SubmitForUsers, author) {
			return false
		}
		allowed = allowed || matches(role.Spec.Allow.Review.SubmitForUsers, author)
	}
	return allowed
}

// adminAction answers an error where what the caller does takes multi-factor authentication. Only Machine ID's users, who
// have no second factor, need none.
func (d *Double) adminAction(c caller) error {
	if !d.options.AdminMFA || c.bot {
		return nil
	}
	return asStatus(&mfa.ErrAdminActionMFARequired)
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
