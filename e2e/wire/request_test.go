package wire

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"
	"google.golang.org/protobuf/encoding/protowire"
)

func varintField(number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), value)
}

func messageField(number protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
}

func stringField(number protowire.Number, text string) []byte {
	return messageField(number, []byte(text))
}

func join(parts ...[]byte) []byte {
	var all []byte
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// nodeID is a types.ResourceID.
func nodeID(name string) []byte {
	return join(stringField(1, "tp"), stringField(2, "node"), stringField(3, name))
}

// restricted is field 26 of a spec: a node, and the details of what restricts the access to it.
func restricted(name string, details []byte) []byte {
	constraints := join(stringField(1, "v1"), details)
	return messageField(26, join(messageField(1, nodeID(name)), messageField(2, constraints)))
}

// read is what the core makes of Teleport's own value, with the fields that Teleport's types at hand do not know.
type read struct {
	ID             string             `json:"id"`
	User           string             `json:"user"`
	Roles          []string           `json:"roles"`
	State          string             `json:"state"`
	Kind           int                `json:"kind"`
	UnknownFields  []string           `json:"unknown_fields"`
	RoleThresholds map[string][][]int `json:"role_thresholds"`
	Thresholds     []struct {
		Filter  string `json:"filter"`
		Approve int    `json:"approve"`
	} `json:"thresholds"`
	Resources []struct {
		Name        string   `json:"name"`
		Constraints []string `json:"constraints"`
	} `json:"resources"`
}

// reads is what the core reads; newer goes behind the spec's known fields.
func (e *coreEcho) reads(t *testing.T, change func(*types.AccessRequestV3), newer []byte) read {
	t.Helper()
	request := &types.AccessRequestV3{
		Kind: "access_request", Version: "v3",
		Metadata: types.Metadata{Name: "an-id"},
		Spec: types.AccessRequestSpecV3{
			User: "alice", Roles: []string{"dba"}, State: types.RequestState_PENDING, Created: time.Unix(1, 0).UTC(),
			XXX_unrecognized: newer,
		},
	}
	if change != nil {
		change(request)
	}
	content, err := marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := e.echo("request", content)
	if err != nil {
		t.Fatal(err)
	}
	var got read
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatal(err)
	}
	if got.ID != "an-id" || got.User != "alice" || !reflect.DeepEqual(got.Roles, []string{"dba"}) {
		t.Fatalf("the core read %s", answer)
	}
	return got
}

func TestTheCoreSeesFieldsThatNobodyKnows(t *testing.T) {
	core := startCore(t)
	for name, one := range map[string]struct {
		newer []byte
		want  []string
	}{
		"none":                                  {nil, nil},
		"all that are known":                    {join(messageField(23, stringField(1, "x")), varintField(24, 1), messageField(25, stringField(2, "x"))), nil},
		"the next field":                        {varintField(27, 1), []string{"spec.27"}},
		"the next field without a value":        {join(varintField(27, 0), messageField(28, nil)), nil},
		"a field of a resource":                 {messageField(14, stringField(9, "x")), []string{"spec.14.9"}},
		"a field beside a resource":             {messageField(26, stringField(3, "x")), []string{"spec.26.3"}},
		"a field of a restricted resource":      {messageField(26, messageField(1, stringField(5, "x"))), []string{"spec.26.1.5"}},
		"constraints of a kind that is unknown": {restricted("n1", messageField(14, stringField(1, "x"))), []string{"spec.26.2.14"}},
		"more in a kind that is known":          {restricted("n1", messageField(11, stringField(2, "x"))), []string{"spec.26.2.11.2"}},
	} {
		if got := core.reads(t, nil, one.newer); !reflect.DeepEqual(got.UnknownFields, one.want) {
			t.Errorf("%s: the core sees %q, want %q", name, got.UnknownFields, one.want)
		}
	}
}

func TestTheCoreReadsWhatAResourceIsRestrictedTo(t *testing.T) {
	core := startCore(t)
	newer := join(
		restricted("ssh", messageField(11, join(stringField(1, "root"), stringField(1, "alice")))),
		restricted("aws", messageField(10, stringField(1, "arn:aws:iam::1:role/x"))),
		restricted("desktop", messageField(13, stringField(1, "Administrator"))),
		restricted("other", messageField(12, stringField(1, "x"))),
	)
	plain := func(request *types.AccessRequestV3) {
		request.Spec.RequestedResourceIDs = []types.ResourceID{
			{ClusterName: "tp", Kind: "node", Name: "plain"}, {ClusterName: "tp", Kind: "node", Name: "ssh"},
		}
	}
	got := map[string][]string{}
	for _, resource := range core.reads(t, plain, newer).Resources {
		if _, twice := got[resource.Name]; twice {
			t.Errorf("%s is there twice", resource.Name)
		}
		got[resource.Name] = resource.Constraints
	}
	want := map[string][]string{
		"plain": nil, "ssh": {"login root", "login alice"}, "aws": {"as role ARN arn:aws:iam::1:role/x"},
		"desktop": {"login Administrator"}, "other": {"restricted"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the core reads %q, want %q", got, want)
	}
}

func TestTheCoreReadsKindsStatesAndThresholds(t *testing.T) {
	core := startCore(t)
	for kind, want := range map[uint64]int{0: 0, 1: 0, 2: 2, 3: 3} {
		if got := core.reads(t, nil, varintField(24, kind)).Kind; got != want {
			t.Errorf("kind %d is read as %d", kind, got)
		}
	}
	// Field 23 is a message by now: nothing of it may be taken for a kind.
	if got := core.reads(t, nil, messageField(23, stringField(1, "required"))); got.Kind != 0 || got.UnknownFields != nil {
		t.Errorf("a dry run's answer is read as %+v", got)
	}
	for state, want := range map[types.RequestState]string{1: "pending", 2: "approved", 3: "denied", 4: "promoted", 5: "other", 0: "other"} {
		got := core.reads(t, func(request *types.AccessRequestV3) { request.Spec.State = state }, nil).State
		if got != want {
			t.Errorf("state %d is read as %q", state, got)
		}
	}
	got := core.reads(t, func(request *types.AccessRequestV3) {
		request.Spec.Thresholds = []types.AccessReviewThreshold{{Filter: "equals(1, 1)", Approve: 2}, {Name: "none"}}
		request.Spec.RoleThresholdMapping = map[string]types.ThresholdIndexSets{
			"dba": {Sets: []types.ThresholdIndexSet{{Indexes: []uint32{0, 1}}, {Indexes: []uint32{1}}}},
		}
	}, nil)
	if len(got.Thresholds) != 2 || got.Thresholds[0].Filter != "equals(1, 1)" || got.Thresholds[0].Approve != 2 || got.Thresholds[1].Approve != 0 {
		t.Errorf("the thresholds are read as %+v", got.Thresholds)
	}
	if want := map[string][][]int{"dba": {{0, 1}, {1}}}; !reflect.DeepEqual(got.RoleThresholds, want) {
		t.Errorf("the roles' thresholds are read as %v, want %v", got.RoleThresholds, want)
	}
}
