package double

import (
	"fmt"
	"time"

	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// version of the server that the double is one of.
type version struct{ major, minor, patch int }

func parseVersion(text string) (version, error) {
	var v version
	if _, err := fmt.Sscanf(text, "%d.%d.%d", &v.major, &v.minor, &v.patch); err != nil {
		return v, fmt.Errorf("%q is no version such as 18.0.0", text)
	}
	return v, nil
}

// since tells whether the server is this one or newer.
func (v version) since(major, minor int) bool {
	return v.major > major || (v.major == major && v.minor >= minor)
}

// pagedListing: ListAccessRequests is in the source of 15.
func (v version) pagedListing() bool { return v.since(15, 0) }

// streamedListing: GetAccessRequestsV2. 6.2.1 does not have it, 13.3.8 has.
func (v version) streamedListing() bool { return v.since(8, 0) }

// wholeListing: the unary GetAccessRequests, which 13 no longer has.
func (v version) wholeListing() bool { return !v.since(13, 0) }

// legacyUpgrade: the connection upgrade in its first form, which 19 gives up.
func (v version) legacyUpgrade() bool { return v.since(13, 0) && !v.since(19, 0) }

// webSocketUpgrade: the connection upgrade as a WebSocket.
func (v version) webSocketUpgrade() bool { return v.since(15, 1) }

// answeredCreation: CreateAccessRequestV2. 6.2.1 does not have it, 13.3.8 has.
func (v version) answeredCreation() bool { return v.since(13, 0) }

// mereCreation: CreateAccessRequest, which answers nothing. 14.3.1 still has it.
func (v version) mereCreation() bool { return !v.since(15, 0) }

// reviews: SubmitAccessReview.
func (v version) reviews() bool { return v.since(6, 0) }

// ownIDs: the server, not the client, names a new request.
func (v version) ownIDs() bool { return v.since(14, 0) }

// watchStatus: INIT says what is watched, which may be a part of what was asked for. Before, it is all or nothing.
func (v version) watchStatus() bool { return v.since(13, 0) }

// readsClientVersions: a client that sends a version which cannot be read is let into nothing. One that sends none is.
func (v version) readsClientVersions() bool { return v.since(16, 0) }

// looksForTheCaller: who sets a request's state must be able to see it, else it is not found. The paged listing does so.
func (v version) looksForTheCaller() bool { return v.pagedListing() }

// anyKind: whoever has the right to may ask for a watch of what does not exist.
func (v version) anyKind() bool { return v.since(5, 0) }

// refusesOwnState: nobody sets the state of their own request. 13.3.8 does not look.
func (v version) refusesOwnState() bool { return v.since(14, 0) }

// refusesPromotion: PROMOTED cannot be set with SetAccessRequestState. 13.3.8 stores whatever number comes.
func (v version) refusesPromotion() bool { return v.since(14, 0) }

// specExpiry: when a request itself expires stands in its spec; before, in its metadata.
func (v version) specExpiry() bool { return v.since(18, 0) }

// setExpiry says when the request itself expires, where servers of this version say it.
func (v version) setExpiry(request *types.AccessRequestV3, at time.Time) {
	request.Spec.ResourceExpiry = nil
	if v.specExpiry() {
		request.SetExpiry(at)
	} else {
		request.Metadata.SetExpiry(at)
	}
}

// reasons: requests and decisions have a reason and annotations, and a decision may grant fewer roles. 4.3.10 drops all that
// and checks nothing of a decision.
func (v version) reasons() bool { return v.since(4, 4) }

// reasonLimit: reasons may be so long only. 6.2.1 takes any.
func (v version) reasonLimit() bool { return v.since(13, 0) }

// thresholds: a request says what decides it, and who might review it.
func (v version) thresholds() bool { return v.since(6, 0) }

// durations: a request may expire at another time than the access that it asks for, and says how long that is. Before, whoever
// asks for less access also waits less. 6.2.1 is before, 13.3.8 after.
func (v version) durations() bool { return v.since(13, 0) }

// rolePatterns: a role may let request roles by patterns. In 4.3.10 a pattern is a name like others.
func (v version) rolePatterns() bool { return v.since(4, 4) }

// noUser is what this version says of a user who does not exist.
func (v version) noUser(name string) error {
	if v.since(13, 0) {
		return status.Errorf(codes.NotFound, "user %q not found", name)
	}
	return status.Errorf(codes.NotFound, "user %q is not found", name)
}

// opaque: whoever lacks a right is told that there is no such thing.
func (v version) opaque() bool { return !v.since(4, 4) }

// partialListing: missing rights make a listing shorter. Before, listing takes the rights to list and read.
func (v version) partialListing() bool { return v.since(6, 0) }

// pluginDataRights: what plugins keep with requests takes a right of its own.
func (v version) pluginDataRights() bool { return v.since(6, 0) }

// deletion is the right that deleting a request takes.
func (v version) deletion() string {
	if v.since(6, 0) {
		return types.VerbDelete
	}
	return types.VerbUpdate
}

// features: Ping says what the server has, and where its proxy is.
func (v version) features() bool { return v.since(6, 0) }

// tlsRouting: the proxy passes connections on to the auth server.
func (v version) tlsRouting() bool { return v.since(8, 0) }

// loginsToSign: credentials are signed for those only who have a login somewhere. 5.1.0 asks for none.
func (v version) loginsToSign() bool { return !v.since(5, 0) }

// roleFive: roles have version 5.
func (v version) roleFive() bool { return v.since(9, 0) }

// startTimes: access can be granted from a later time on. Older servers ignore the time.
func (v version) startTimes() bool { return v.since(15, 0) }

// requestKinds: a request says whether it is for a while or for good.
func (v version) requestKinds() bool { return v.since(18, 0) }

// users: GetUsers and GetUser of the auth service.
func (v version) users() bool { return v.since(4, 3) }

// ownRoles: GetCurrentUserRoles.
func (v version) ownRoles() bool { return v.since(10, 0) }

// usersService: users have a service of their own.
func (v version) usersService() bool { return v.since(15, 0) }

// userFilter: ListUsers looks at its filter. Older servers answer with everybody.
func (v version) userFilter() bool { return v.since(17, 0) }

// onBehalf: reviews for other users, with the permission to.
func (v version) onBehalf() bool { return v.since(18, 11) }

// has tells whether a method of the auth service exists in this version.
func (v version) has(method string) bool {
	switch method {
	case "ListAccessRequests":
		return v.pagedListing()
	case "GetAccessRequestsV2":
		return v.streamedListing()
	case "CreateAccessRequestV2":
		return v.answeredCreation()
	case "SubmitAccessReview":
		return v.reviews()
	case "GetUsers", "GetUser":
		return v.users()
	case "GetCurrentUserRoles":
		return v.ownRoles()
	default:
		return true
	}
}
