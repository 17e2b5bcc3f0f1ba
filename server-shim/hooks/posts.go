package hooks

import (
	"context"
	"fmt"
	"runtime/debug"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"
	"github.com/mattermost/mattermost/server/public/plugin"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin"
)

// mostChanges is how many changes to posts are told to the core at once. Further ones are dropped: the core looks at its
// posts now and then anyway.
const mostChanges = 32

// MessageHasBeenUpdated tells the core of posts of the bot that somebody, perhaps the plugin itself, has edited.
func (p *Plugin) MessageHasBeenUpdated(_ *plugin.Context, now, before *model.Post) {
	p.postChanged(now, before, false)
}

// MessageHasBeenDeleted tells the core of posts of the bot that somebody, perhaps the plugin itself, has deleted.
func (p *Plugin) MessageHasBeenDeleted(_ *plugin.Context, post *model.Post) {
	p.postChanged(post, post, true)
}

// postChanged passes a change on if the post is the bot's.
func (p *Plugin) postChanged(now, before *model.Post, deleted bool) {
	if !p.ready.Load() || now == nil || now.UserId == "" || now.UserId != p.bot.id() {
		return
	}
	// A panic would end the whole plugin.
	defer func() {
		if problem := recover(); problem != nil {
			p.API.LogError("A changed post was not told of.", "panic", fmt.Sprint(problem), "stack", string(debug.Stack()))
		}
	}()
	if p.changes.Add(1) > mostChanges {
		p.changes.Add(-1)
		return
	}
	defer p.changes.Add(-1)
	// Whoever edited it may have taken the props away.
	props := texts(now)
	for name, value := range texts(before) {
		props[name] = value
	}
	request := &pb.PostChangedRequest{PostId: now.Id, UpdateAt: now.UpdateAt, Deleted: deleted, Props: props}
	ctx, cancel := context.WithTimeout(context.Background(), noticeTimeout)
	defer cancel()
	if _, err := client(p.actor.Own()).PostChanged(ctx, connect.NewRequest(request)); err != nil {
		p.API.LogDebug("The core did not hear of a changed post.", "post", now.Id, "error", err.Error())
	}
}

// texts are those props of a post that are texts.
func texts(post *model.Post) map[string]string {
	props := map[string]string{}
	if post == nil {
		return props
	}
	for name, value := range post.GetProps() {
		if text, ok := value.(string); ok {
			props[name] = text
		}
	}
	return props
}
