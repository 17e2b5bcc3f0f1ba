package double

import (
	"context"
	"slices"

	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

// SubmitAccessReview implements the service.
func (s *service) SubmitAccessReview(ctx context.Context, submission *types.AccessReviewSubmission) (*types.AccessRequestV3, error) {
	caller, err := s.double.caller(ctx)
	if err != nil {
		return nil, err
	}
	review := submission.Review
	if review.Author == "" {
		review.Author = caller.name
	}
	if err := s.double.adminAction(caller); err != nil {
		return nil, err
	}
	asked := varint(review.XXX_unrecognized, onBehalfField) != 0
	// Who submitted it is the server's to say.
	review.XXX_unrecognized = nil
	if review.Author != caller.name {
		if !s.double.version.onBehalf() || !asked || !caller.submitsFor(review.Author) {
			return nil, status.Errorf(codes.PermissionDenied, "user %q cannot submit reviews on behalf of %q", caller.name, review.Author)
		}
		review.XXX_unrecognized = setVarint(setString(nil, submittedByField, caller.name), onBehalfField, 1)
	}
	author, ok := s.double.state.user(review.Author)
	if !ok {
		return nil, status.Errorf(codes.NotFound, "user %q not found", review.Author)
	}
	roles := s.double.state.rolesNamed(author.Spec.Roles)
	if !hasReviewRights(roles) {
		return nil, status.Errorf(codes.PermissionDenied, "user %q cannot submit reviews", review.Author)
	}
	if err := submission.Check(); err != nil {
		return nil, asStatus(err)
	}
	missing := status.Errorf(codes.NotFound, "cannot apply review to access request %q (not found)", submission.RequestID)
	return s.double.state.change(submission.RequestID, missing, func(request *types.AccessRequestV3) (teleport.AuditEvent, error) {
		if !mayReview(review.Author, roles, request) {
			return teleport.AuditEvent{}, status.Errorf(codes.PermissionDenied, "user %q cannot review request %q", review.Author, submission.RequestID)
		}
		if err := s.apply(request, review); err != nil {
			return teleport.AuditEvent{}, err
		}
		return teleport.AuditEvent{
			Event: teleport.EventReview, UpdatedBy: caller.name, Reviewer: review.Author,
			ProposedState: review.ProposedState.String(), Reason: review.Reason,
		}, nil
	})
}

// apply adds the review to the request and, where that decides it, sets its state.
func (s *service) apply(request *types.AccessRequestV3, review types.AccessReview) error {
	switch {
	case !review.ProposedState.IsApproved() && !review.ProposedState.IsDenied():
		return status.Errorf(codes.InvalidArgument, "invalid state proposal: %s (expected approval/denial)", review.ProposedState)
	case len(request.GetThresholds()) == 0:
		return status.Error(codes.InvalidArgument, "request is uninitialized or does not support reviews")
	case slices.ContainsFunc(request.GetReviews(), func(other types.AccessReview) bool { return other.Author == review.Author }):
		return status.Errorf(codes.PermissionDenied, "user %q has already reviewed this request", review.Author)
	case len(review.Annotations) > 0:
		return status.Error(codes.Unimplemented, "annotations are not yet supported in reviews, try omitting annotations field")
	case len(review.Roles) > 0 && len(review.Roles) != len(request.GetRoleThresholdMapping()):
		// Still so in 18: only a state that is set outright can grant fewer roles.
		return status.Error(codes.Unimplemented, "role subselection is not yet supported in reviews, try omitting role list")
	case request.GetState().IsApproved():
		return status.Error(codes.PermissionDenied, "the access request has been already approved")
	case request.GetState().IsDenied():
		return status.Error(codes.PermissionDenied, "the access request has been already denied")
	case request.GetState().IsPromoted():
		return status.Error(codes.PermissionDenied, "the access request has been already promoted")
	}
	for _, role := range review.Roles {
		if _, ok := request.GetRoleThresholdMapping()[role]; !ok {
			return status.Errorf(codes.InvalidArgument, "role %q is not a member of this request", role)
		}
	}
	// Any review may set it, also one that does not decide.
	if err := s.double.setStart(request, review.AssumeStartTime); err != nil {
		return err
	}
	if review.Created.IsZero() {
		review.Created = now()
	}
	// Without filters every review counts for every threshold.
	review.ThresholdIndexes = nil
	for index := range request.GetThresholds() {
		review.ThresholdIndexes = append(review.ThresholdIndexes, uint32(index))
	}
	request.SetReviews(append(slices.Clone(request.GetReviews()), review))
	if !decides(request, review.ProposedState) {
		return nil
	}
	if err := request.SetState(review.ProposedState); err != nil {
		return asStatus(err)
	}
	request.SetResolveReason(review.Reason)
	s.double.version.setExpiry(request, request.GetAccessExpiry())
	return nil
}

// decides tells whether the reviews that propose a state are enough for it: for a denial at any threshold, for an approval
// at one threshold of every set of every role.
func decides(request *types.AccessRequestV3, proposed types.RequestState) bool {
	count := uint32(0)
	for _, review := range request.GetReviews() {
		if review.ProposedState == proposed {
			count++
		}
	}
	thresholds := request.GetThresholds()
	if proposed.IsDenied() {
		return slices.ContainsFunc(thresholds, func(t types.AccessReviewThreshold) bool { return t.Deny != 0 && count >= t.Deny })
	}
	for _, sets := range request.GetRoleThresholdMapping() {
		for _, set := range sets.Sets {
			met := func(index uint32) bool {
				return int(index) < len(thresholds) && thresholds[index].Approve != 0 && count >= thresholds[index].Approve
			}
			if !slices.ContainsFunc(set.Indexes, met) {
				return false
			}
		}
	}
	return true
}
