package mattermost

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/mattermost/mattermost/server/public/model"
	"google.golang.org/protobuf/proto"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/mattermost"
)

// read is how a post with these attachments is read back.
func read(t testing.TB, attachments string) *pb.Post {
	t.Helper()
	api, c := serve(t)
	var raw any
	if err := json.Unmarshal([]byte(attachments), &raw); err != nil {
		t.Fatal(err)
	}
	stored := &model.Post{Id: "id", UserId: botID}
	stored.AddProp(model.PostPropsAttachments, raw)
	api.On("GetPost", "id").Return(stored, nil)
	list := model.NewPostList()
	list.AddPost(stored)
	list.AddOrder("id")
	api.On("GetPostsForChannel", "channel", 0, postsPerPage).Return(list, nil)
	answer, err := c.GetPost(context.Background(), request(&pb.GetPostRequest{Id: "id"}))
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.ListBotPosts(context.Background(), request(&pb.ListBotPostsRequest{ChannelId: "channel"}))
	if err != nil {
		t.Fatal(err)
	}
	if len(all.Msg.GetPosts()) != 1 {
		t.Fatalf("listed are %v", all.Msg.GetPosts())
	}
	equal(t, all.Msg.GetPosts()[0], answer.Msg)
	return answer.Msg
}

func TestAPostIsReadBackAsItWasSent(t *testing.T) {
	sent := &model.Post{}
	fill(sent, post())
	text, err := json.Marshal(sent.GetProp(model.PostPropsAttachments))
	if err != nil {
		t.Fatal(err)
	}
	want := post().GetAttachments()
	want[0].Actions[0].Type = "button"
	for n, attachment := range read(t, string(text)).GetAttachments() {
		equal(t, attachment, want[n])
	}
}

func TestAllThatAPostHoldsIsReadBack(t *testing.T) {
	api, c := serve(t)
	stored := &model.Post{
		Id: "id", UserId: botID, ChannelId: "channel", RootId: "root", Message: "message", CreateAt: 1, UpdateAt: 2,
		EditAt: 3, Type: "custom_type", FileIds: model.StringArray{"file", "another"},
	}
	stored.SetProps(model.StringInterface{
		"text": "a", "flag": true, "nothing": nil, "number": 1.5, "map": map[string]any{"b": 1.0, "a": []any{"c"}},
	})
	api.On("GetPost", "id").Return(stored, nil)
	answer, err := c.GetPost(context.Background(), request(&pb.GetPostRequest{Id: "id"}))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, answer.Msg, &pb.Post{
		Id: "id", UserId: botID, ChannelId: "channel", RootId: "root", Message: "message", CreateAt: 1, UpdateAt: 2,
		EditAt: 3, Type: "custom_type", FileIds: []string{"file", "another"}, Props: map[string]string{"text": "a"},
		OtherProps: map[string]string{"flag": "true", "nothing": "null", "number": "1.5", "map": `{"a":["c"],"b":1}`},
	})
}

// Each of these is something that a reader could see in a post, or that a click could carry, and that was not sent.
func TestWhateverIsChangedInAnAttachmentShows(t *testing.T) {
	const unchanged = `[{"text":"text","fields":[{"title":"User","value":"alice","short":true}],
		"actions":[{"id":"approve","name":"Approve","type":"button","integration":{"url":"/click","context":{"verdict":"approve"}}}]}]`
	before := read(t, unchanged)
	for name, changed := range map[string]string{
		"an author":                   `[{"text":"text","author_name":"Teleport"}]`,
		"the author's link":           `[{"text":"text","author_link":"https://example.com"}]`,
		"the author's icon":           `[{"text":"text","author_icon":"https://example.com/a.png"}]`,
		"an image":                    `[{"text":"text","image_url":"https://example.com/a.png"}]`,
		"a thumbnail":                 `[{"text":"text","thumb_url":"https://example.com/a.png"}]`,
		"the footer's icon":           `[{"text":"text","footer_icon":"https://example.com/a.png"}]`,
		"a timestamp":                 `[{"text":"text","ts":1}]`,
		"a timestamp in words":        `[{"text":"text","ts":"yesterday"}]`,
		"a field that nobody knows":   `[{"text":"text","video_url":"https://example.com/a"}]`,
		"a key in capitals":           `[{"text":"text","TITLE":"Title"}]`,
		"a title that is no text":     `[{"text":"text"},{"title":5}]`,
		"an attachment that is none":  `[{"text":"text"},"another"]`,
		"no attachment at all":        `[{"text":"text"},null]`,
		"attachments that are none":   `{"text":"text"}`,
		"a field's value in a list":   `[{"text":"text","fields":[{"title":"User","value":["bob"]}]}]`,
		"a field that is none":        `[{"text":"text","fields":[null]}]`,
		"an action that is none":      `[{"text":"text","actions":[null]}]`,
		"another verdict":             `[{"text":"text","actions":[{"id":"a","integration":{"context":{"verdict":"deny"}}}]}]`,
		"another address":             `[{"text":"text","actions":[{"id":"a","integration":{"url":"/plugins/other/click"}}]}]`,
		"a number in the context":     `[{"text":"text","actions":[{"id":"a","integration":{"context":{"n":1}}}]}]`,
		"another number there":        `[{"text":"text","actions":[{"id":"a","integration":{"context":{"n":2}}}]}]`,
		"a button that is a menu":     `[{"text":"text","actions":[{"id":"a","type":"select","data_source":"users"}]}]`,
		"the menu's choices":          `[{"text":"text","actions":[{"id":"a","type":"select","options":[{"text":"t","value":"v"}]}]}]`,
		"the menu's default":          `[{"text":"text","actions":[{"id":"a","type":"select","default_option":"v"}]}]`,
		"a button without use":        `[{"text":"text","actions":[{"id":"a","disabled":true}]}]`,
		"a tooltip":                   `[{"text":"text","actions":[{"id":"a","tooltip":"safe"}]}]`,
		"a button of another style":   `[{"text":"text","actions":[{"id":"a","style":"good"}]}]`,
		"a cookie":                    `[{"text":"text","actions":[{"id":"a","cookie":"c"}]}]`,
		"nothing but a plain text":    `[{"text":"text"}]`,
		"the plain text and a button": `[{"text":"text","actions":[{"id":"a"}]}]`,
		"no attachments":              `[]`,
	} {
		after := read(t, changed)
		if proto.Equal(after, before) {
			t.Errorf("%s does not show", name)
		}
		// All others differ from it, too.
		if name != "nothing but a plain text" && proto.Equal(after, read(t, `[{"text":"text"}]`)) {
			t.Errorf("%s does not show in a plain post", name)
		}
	}
	equal(t, read(t, unchanged), before)
}

func TestEmptyFieldsOfANewerServerAreNoChange(t *testing.T) {
	plain := read(t, `[{"text":"text"}]`)
	equal(t, read(t, `[{"text":"text","id":0,"actions":null,"new":"","newer":0,"newest":false,"list":[],"map":{}}]`), plain)
}
