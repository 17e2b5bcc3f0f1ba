package double

import "google.golang.org/protobuf/encoding/protowire"

// Fields that are newer than the official types at hand, which do not know them by name: they arrive, and are sent back,
// among the unknown fields.
const (
	// submittedByField of types.AccessReview is who submitted a review of somebody else's.
	submittedByField protowire.Number = 11
	// onBehalfField of types.AccessReview says that its author is not the caller.
	onBehalfField protowire.Number = 12
	// submitForUsersField of types.AccessReviewConditions names for whom a role lets submit reviews.
	submitForUsersField protowire.Number = 5
	// requestKindField of types.AccessRequestSpecV3 says whether access is asked for a while or for good.
	requestKindField protowire.Number = 24
)

// resourceAccessField of types.AccessRequestSpecV3 is a resource with what restricts the access to it.
const resourceAccessField protowire.Number = 26

// lastOfficialField is the last field of types.AccessRequestSpecV3 that the official types know.
const lastOfficialField = 22

// restrictedNode is a field of a spec: a node that may be reached with one login only.
func restrictedNode(cluster, node, login string) []byte {
	text := func(into []byte, number protowire.Number, value string) []byte {
		return protowire.AppendString(protowire.AppendTag(into, number, protowire.BytesType), value)
	}
	message := func(into []byte, number protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(into, number, protowire.BytesType), content)
	}
	id := text(text(text(nil, 1, cluster), 2, "node"), 3, node)
	constraints := message(text(nil, 1, "v1"), 11, text(nil, 1, login))
	return message(nil, resourceAccessField, message(message(nil, 1, id), 2, constraints))
}

// longTerm is the kind of a request for lasting access.
const longTerm = 2

// varint is the last value of a field among unknown fields; 0 where there is none.
func varint(unknown []byte, wanted protowire.Number) uint64 {
	last := uint64(0)
	each(unknown, func(number protowire.Number, kind protowire.Type, field, content []byte) {
		if number == wanted && kind == protowire.VarintType {
			last, _ = protowire.ConsumeVarint(content)
		}
	})
	return last
}

// setVarint answers the unknown fields with this one set.
func setVarint(unknown []byte, number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(without(unknown, number), number, protowire.VarintType), value)
}

// setString answers the unknown fields with this one set.
func setString(unknown []byte, number protowire.Number, value string) []byte {
	return protowire.AppendString(protowire.AppendTag(without(unknown, number), number, protowire.BytesType), value)
}

// without answers the unknown fields that are not this one.
func without(unknown []byte, number protowire.Number) []byte {
	var rest []byte
	each(unknown, func(found protowire.Number, _ protowire.Type, field, _ []byte) {
		if found != number {
			rest = append(rest, field...)
		}
	})
	return rest
}

// each goes through unknown fields, up to what cannot be read. A field is handed over whole and without its tag.
func each(unknown []byte, visit func(number protowire.Number, kind protowire.Type, field, content []byte)) {
	for len(unknown) > 0 {
		number, kind, tag := protowire.ConsumeTag(unknown)
		if tag < 0 {
			return
		}
		content := protowire.ConsumeFieldValue(number, kind, unknown[tag:])
		if content < 0 {
			return
		}
		visit(number, kind, unknown[:tag+content], unknown[tag:tag+content])
		unknown = unknown[tag+content:]
	}
}
