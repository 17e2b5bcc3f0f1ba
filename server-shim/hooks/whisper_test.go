package hooks

import (
	"encoding/json"
	"testing"

	"github.com/mattermost/mattermost/server/public/model"
)

const channelID = "channelchannelchannelchann"

// clicked is what Mattermost hears of a click in a channel, and the posts that only the clicker sees.
func clicked(t *testing.T, s *server, p *Plugin, channel string) (model.PostActionIntegrationResponse, []*model.Post) {
	t.Helper()
	s.set(func() { s.whispers = nil })
	body := `{"post_id":"p","channel_id":"` + channel + `","context":{"request":"r","cluster":"c","verdict":"approve"}}`
	response := request(t, p, "POST", "/click", body, member)
	var answer model.PostActionIntegrationResponse
	if err := json.Unmarshal(response.Body.Bytes(), &answer); err != nil || response.Code != 200 {
		t.Fatalf("%d %s", response.Code, response.Body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return answer, s.whispers[member]
}

func TestTheAnswerToAClickIsInNoThread(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	answer, whispers := clicked(t, s, p, channelID)
	// What Mattermost is handed it would put under the post, where phones show nothing.
	if answer.EphemeralText != "" {
		t.Errorf("Mattermost is handed %q", answer.EphemeralText)
	}
	if len(whispers) != 1 {
		t.Fatalf("there are %d answers", len(whispers))
	}
	post := whispers[0]
	if post.Message == "" || post.ChannelId != channelID || post.RootId != "" || post.UserId != p.bot.id() || post.GetProp(model.PostPropsFromPlugin) != "true" {
		t.Errorf("the answer is %+v", post)
	}
}

func TestWhereTheAnswerCannotBeSentMattermostShowsIt(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	for name, channel := range map[string]string{"no channel": "", "no id of a channel": "../town-square"} {
		if answer, whispers := clicked(t, s, p, channel); answer.EphemeralText == "" || len(whispers) != 0 {
			t.Errorf("%s: the answer is %q, and %d were sent", name, answer.EphemeralText, len(whispers))
		}
	}
	s.set(func() { s.whisperFails = true })
	if answer, _ := clicked(t, s, p, channelID); answer.EphemeralText == "" {
		t.Error("an answer that did not arrive is lost")
	}
}

func TestWhatTheCoreCannotSayIsInNoThreadEither(t *testing.T) {
	s := newServer(t)
	p := activate(t, s)
	replaceCore(t, p, startFake(t, nil, nil))
	answer, whispers := clicked(t, s, p, channelID)
	if answer.EphemeralText != "" || len(whispers) != 1 || whispers[0].Message != textFailed {
		t.Errorf("Mattermost is handed %q, and %+v is sent", answer.EphemeralText, whispers)
	}
}
