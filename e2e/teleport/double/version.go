package double

import (
	"fmt"
	"time"

	"github.com/gravitational/teleport/api/types"
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

// streamedListing: GetAccessRequestsV2.
func (v version) streamedListing() bool { return v.since(4, 4) }

// wholeListing: the unary GetAccessRequests, which 13 no longer has.
func (v version) wholeListing() bool { return !v.since(13, 0) }

// legacyUpgrade: the connection upgrade in its first form, which 19 gives up.
func (v version) legacyUpgrade() bool { return v.since(13, 0) && !v.since(19, 0) }

// webSocketUpgrade: the connection upgrade as a WebSocket.
func (v version) webSocketUpgrade() bool { return v.since(15, 1) }

// resolutions: a decision has a reason, annotations and roles. On older servers there are no such fields.
func (v version) resolutions() bool { return v.since(5, 0) }

// reviews: SubmitAccessReview.
func (v version) reviews() bool { return v.since(6, 0) }

// ownIDs: the server, not the client, names a new request.
func (v version) ownIDs() bool { return v.since(14, 0) }

// watchStatus: INIT says what is watched.
func (v version) watchStatus() bool { return v.since(13, 0) }

// readsClientVersions: a client that sends a version which cannot be read is let into nothing. One that sends none is.
func (v version) readsClientVersions() bool { return v.since(16, 0) }

// looksForTheCaller: who sets a request's state must be able to see it, else it is not found. The paged listing does so.
func (v version) looksForTheCaller() bool { return v.pagedListing() }

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
