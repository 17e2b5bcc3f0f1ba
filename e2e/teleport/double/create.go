package double

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

const (
	// pendingLasts is how long a request waits for a decision where nothing is said.
	pendingLasts = time.Hour
	// certificateLasts bounds the access that is granted.
	certificateLasts = 30 * time.Hour
)

// CreateAccessRequestV2 implements the service.
func (s *service) CreateAccessRequestV2(ctx context.Context, wanted *types.AccessRequestV3) (*types.AccessRequestV3, error) {
	caller, err := s.double.caller(ctx)
	if err != nil {
		return nil, err
	}
	request := wanted.Copy().(*types.AccessRequestV3)
	if s.double.version.ownIDs() {
		request.SetName(s.newID())
	}
	if !s.double.version.requestKinds() {
		request.Spec.XXX_unrecognized = nil
	}
	if !s.double.version.specExpiry() {
		request.Spec.ResourceExpiry = nil
	}
	if !s.double.version.reasons() {
		request.Spec.RequestReason, request.Spec.SystemAnnotations = "", nil
	}
	if !s.double.version.thresholds() {
		request.Spec.SuggestedReviewers = nil
	}
	if err := request.CheckAndSetDefaults(); err != nil {
		return nil, asStatus(err)
	}
	if _, err := uuid.Parse(request.GetName()); err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "invalid access request id %q", request.GetName())
	}
	if len(request.GetRequestReason()) > maxReason && s.double.version.reasonLimit() {
		return nil, status.Errorf(codes.InvalidArgument, "access request reason is too long, max %d bytes", maxReason)
	}
	// Everybody may ask for themselves.
	if !request.GetState().IsPending() || request.GetUser() != caller.name {
		if err := caller.may(types.VerbCreate, types.KindAccessRequest); err != nil {
			return nil, err
		}
	}
	if err := s.complete(ctx, request, caller.name); err != nil {
		return nil, err
	}
	if request.GetDryRun() {
		return request, nil
	}
	if err := s.double.state.create(request); err != nil {
		return nil, err
	}
	s.double.log("%s: filed by %s for %s", request.GetName(), caller.name, request.GetUser())
	return request, nil
}

func (s *service) newID() string {
	if s.double.version.since(17, 0) {
		if id, err := uuid.NewV7(); err == nil {
			return id.String()
		}
	}
	return uuid.NewString()
}

// complete checks the wish against the requester's roles and fills in what the server decides: thresholds, annotations,
// suggested reviewers, times.
func (s *service) complete(ctx context.Context, request *types.AccessRequestV3, callerName string) error {
	user, ok := s.double.state.user(request.GetUser())
	if !ok {
		return status.Errorf(codes.NotFound, "user %q not found", request.GetUser())
	}
	roles := s.double.state.rolesNamed(user.Spec.Roles)
	resources := len(request.GetRequestedResourceIDs()) > 0
	if resources && len(request.GetRoles()) == 0 {
		var found []string
		for _, role := range roles {
			found = append(found, role.Spec.Allow.Request.SearchAsRoles...)
		}
		slices.Sort(found)
		request.SetRoles(slices.Compact(found))
	}
	for _, wanted := range request.GetRoles() {
		if !s.double.version.mayRequest(roles, wanted, resources) {
			return status.Errorf(codes.InvalidArgument, "user %q %s request role %q", request.GetUser(), s.double.version.cannot(), wanted)
		}
		if len(s.double.state.rolesNamed([]string{wanted})) == 0 {
			return status.Errorf(codes.NotFound, "role %q is not found", wanted)
		}
	}
	if s.double.version.thresholds() {
		setThresholds(request, roles)
	}
	annotations := map[string][]string{}
	var suggested []string
	for _, role := range roles {
		for name, values := range role.Spec.Allow.Request.Annotations {
			annotations[name] = append(annotations[name], values...)
		}
		suggested = append(suggested, role.Spec.Allow.Request.SuggestedReviewers...)
	}
	if s.double.version.reasons() {
		request.SetSystemAnnotations(annotations)
	}
	if len(request.GetSuggestedReviewers()) == 0 && s.double.version.thresholds() {
		slices.Sort(suggested)
		request.SetSuggestedReviewers(slices.Compact(suggested))
	}
	if !s.double.version.durations() {
		s.setOldTimes(ctx, request)
		return nil
	}
	return s.setTimes(ctx, request, callerName)
}

func (v version) mayRequest(roles []*resource, wanted string, resources bool) bool {
	covers := slices.Contains[[]string]
	if v.rolePatterns() {
		covers = matches
	}
	allowed := false
	for _, role := range roles {
		if covers(role.Spec.Deny.Request.Roles, wanted) {
			return false
		}
		if resources {
			allowed = allowed || slices.Contains(role.Spec.Allow.Request.SearchAsRoles, wanted)
		} else {
			allowed = allowed || covers(role.Spec.Allow.Request.Roles, wanted)
		}
	}
	return allowed
}

// cannot is how this version spells it.
func (v version) cannot() string {
	if v.rolePatterns() {
		return "can not"
	}
	return "cannot"
}

// setThresholds says what decides: each of the requester's roles that lets ask for a role adds a set of thresholds, one of
// which is enough.
func setThresholds(request *types.AccessRequestV3, roles []*resource) {
	var thresholds []types.AccessReviewThreshold
	mapping := map[string]types.ThresholdIndexSets{}
	for _, wanted := range request.GetRoles() {
		var sets []types.ThresholdIndexSet
		for _, role := range roles {
			conditions := role.Spec.Allow.Request
			if !matches(conditions.Roles, wanted) && !slices.Contains(conditions.SearchAsRoles, wanted) {
				continue
			}
			own := conditions.Thresholds
			if len(own) == 0 {
				own = []threshold{{Name: "default", Approve: 1, Deny: 1}}
			}
			var indexes []uint32
			for _, one := range own {
				official := types.AccessReviewThreshold{Name: one.Name, Approve: one.Approve, Deny: one.Deny}
				at := slices.IndexFunc(thresholds, func(other types.AccessReviewThreshold) bool { return other.IsEqual(&official) })
				if at < 0 {
					at = len(thresholds)
					thresholds = append(thresholds, official)
				}
				indexes = append(indexes, uint32(at))
			}
			sets = append(sets, types.ThresholdIndexSet{Indexes: indexes})
		}
		mapping[wanted] = types.ThresholdIndexSets{Sets: sets}
	}
	request.SetThresholds(thresholds)
	request.SetRoleThresholdMapping(mapping)
}

// longest is when access ends at the latest: with the certificate of the caller, if that counts, and after what the roles allow.
func (s *service) longest(ctx context.Context, request *types.AccessRequestV3, created time.Time, ofCaller bool) time.Time {
	longest := created.Add(certificateLasts)
	if from, ok := peer.FromContext(ctx); ok && ofCaller {
		if info, ok := from.AuthInfo.(credentials.TLSInfo); ok && len(info.State.PeerCertificates) > 0 {
			if end := info.State.PeerCertificates[0].NotAfter.UTC(); end.Before(longest) {
				longest = end
			}
		}
	}
	for _, role := range s.double.state.rolesNamed(request.GetRoles()) {
		if most := time.Duration(role.Spec.Options.MaxSessionTTL); most > 0 && created.Add(most).Before(longest) {
			longest = created.Add(most)
		}
	}
	return longest
}

// setOldTimes says when access expires, as asked for if that is possible; a request that is not decided waits an hour at most.
func (s *service) setOldTimes(ctx context.Context, request *types.AccessRequestV3) {
	created := now()
	request.SetCreationTime(created)
	until := request.GetAccessExpiry()
	if longest := s.longest(ctx, request, created, true); until.Before(created) || until.After(longest) {
		until = longest
	}
	request.SetAccessExpiry(until)
	if waits := created.Add(pendingLasts); request.GetState().IsPending() && waits.Before(until) {
		until = waits
	}
	request.Metadata.SetExpiry(until)
	request.Spec.MaxDuration, request.Spec.SessionTTL = time.Time{}, time.Time{}
}

// setTimes says when the request and the access expire.
func (s *service) setTimes(ctx context.Context, request *types.AccessRequestV3, callerName string) error {
	created := now()
	request.SetCreationTime(created)
	longest := s.longest(ctx, request, created, callerName == request.GetUser())
	expiry := request.Expiry()
	switch {
	case expiry.IsZero():
		expiry = created.Add(pendingLasts)
		if longest.Before(expiry) {
			expiry = longest
		}
	case expiry.Before(created):
		return status.Error(codes.InvalidArgument, "invalid request TTL: Access Request can not be created in the past")
	case expiry.After(longest):
		return status.Errorf(codes.InvalidArgument, "invalid request TTL: %v greater than maximum allowed (%v)", expiry.Sub(created).Round(time.Minute), longest.Sub(created).Round(time.Minute))
	}
	s.double.version.setExpiry(request, expiry)
	until := longest
	if wanted := request.GetMaxDuration(); !wanted.IsZero() {
		if wanted.Before(created) {
			return status.Error(codes.InvalidArgument, "invalid maxDuration: must be greater than creation time")
		}
		if wanted.Before(until) {
			until = wanted
		}
	}
	request.SetSessionTLL(until)
	request.SetAccessExpiry(until)
	request.SetMaxDuration(until)
	return nil
}
