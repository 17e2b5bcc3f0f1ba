package hooks

import (
	"github.com/mattermost/mattermost/server/public/model"
)

// whisper shows a text to one user alone, in a channel and in none of its threads: while threads are on, phones show nothing of
// a thread in its channel, and what Mattermost itself makes of an answer is under the post that was clicked. It is false where
// the text has not been sent.
func (p *Plugin) whisper(userID, channelID, text string) bool {
	bot := p.bot.id()
	if text == "" || bot == "" || !model.IsValidId(channelID) {
		return false
	}
	post := &model.Post{UserId: bot, ChannelId: channelID, Message: text}
	post.SetProps(model.StringInterface{model.PostPropsFromBot: "true", model.PostPropsFromPlugin: "true"})
	return p.API.SendEphemeralPost(userID, post) != nil
}
