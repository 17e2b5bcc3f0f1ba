package mattermost

import (
	"context"
	"errors"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/mattermost"
)

// postsPerPage is the most that Mattermost lists at once.
const postsPerPage = 200

// CreatePost creates a post as the bot. Over REST nobody can post to an archived channel; the Plugin API would do it, and
// nobody would see the post.
func (s *Service) CreatePost(
	_ context.Context, request *connect.Request[pb.CreatePostRequest],
) (*connect.Response[pb.Post], error) {
	bot, err := s.botID()
	if err != nil {
		return nil, err
	}
	asked := request.Msg.GetPost()
	channel, appErr := s.api.GetChannel(asked.GetChannelId())
	if err := answered(channel, appErr); err != nil {
		return nil, err
	}
	if channel.DeleteAt != 0 {
		return nil, invalid("the channel %q is archived: unarchive it, or name another in the plugin's settings", channel.Name)
	}
	post := &model.Post{
		UserId:        bot,
		ChannelId:     asked.GetChannelId(),
		RootId:        asked.GetRootId(),
		PendingPostId: request.Msg.GetPendingPostId(),
	}
	fill(post, asked)
	created, appErr := s.api.CreatePost(post)
	if err := answered(created, appErr); err != nil {
		return nil, err
	}
	return connect.NewResponse(fromPost(created)), nil
}

// UpdatePost replaces what a post of the bot says.
func (s *Service) UpdatePost(
	_ context.Context, request *connect.Request[pb.UpdatePostRequest],
) (*connect.Response[pb.Post], error) {
	asked := request.Msg.GetPost()
	// What stands there now keeps what is not ours to replace: pins, reactions, files.
	post, err := s.postOf(asked.GetUserId(), asked.GetId())
	if err != nil {
		return nil, err
	}
	post = post.Clone()
	fill(post, asked)
	updated, appErr := s.api.UpdatePost(post)
	if err := answered(updated, appErr); err != nil {
		return nil, err
	}
	return connect.NewResponse(fromPost(updated)), nil
}

// GetPost returns one post.
func (s *Service) GetPost(
	_ context.Context, request *connect.Request[pb.GetPostRequest],
) (*connect.Response[pb.Post], error) {
	post, appErr := s.api.GetPost(request.Msg.GetId())
	if err := answered(post, appErr); err != nil {
		return nil, err
	}
	return connect.NewResponse(fromPost(post)), nil
}

// DeletePost deletes a post of the bot.
func (s *Service) DeletePost(
	_ context.Context, request *connect.Request[pb.DeletePostRequest],
) (*connect.Response[pb.DeletePostResponse], error) {
	if _, err := s.ownPost(request.Msg.GetId()); err != nil {
		return nil, err
	}
	if err := check(s.api.DeletePost(request.Msg.GetId())); err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.DeletePostResponse{}), nil
}

// ListBotPosts goes through a channel's posts from the newest on.
func (s *Service) ListBotPosts(
	ctx context.Context, request *connect.Request[pb.ListBotPostsRequest],
) (*connect.Response[pb.ListBotPostsResponse], error) {
	author := request.Msg.GetUserId()
	if author == "" {
		bot, err := s.botID()
		if err != nil {
			return nil, err
		}
		author = bot
	}
	answer := &pb.ListBotPostsResponse{}
	// New posts push older ones on to the next page while we read, so some come twice.
	seen := map[string]bool{}
	for page := 0; ; page++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		list, appErr := s.api.GetPostsForChannel(request.Msg.GetChannelId(), page, postsPerPage)
		if err := answered(list, appErr); err != nil {
			return nil, err
		}
		older := false
		for _, id := range list.Order {
			post := list.Posts[id]
			if post == nil || seen[id] {
				continue
			}
			seen[id] = true
			if post.CreateAt < request.Msg.GetSince() {
				older = true
			} else if post.UserId == author {
				answer.Posts = append(answer.Posts, fromPost(post))
			}
		}
		if older || len(list.Order) < postsPerPage {
			return connect.NewResponse(answer), nil
		}
	}
}

// SendEphemeralPost shows a post to one user.
func (s *Service) SendEphemeralPost(
	_ context.Context, request *connect.Request[pb.SendEphemeralPostRequest],
) (*connect.Response[pb.SendEphemeralPostResponse], error) {
	asked := request.Msg.GetPost()
	post := &model.Post{UserId: s.bot(), ChannelId: asked.GetChannelId(), RootId: asked.GetRootId()}
	fill(post, asked)
	if s.api.SendEphemeralPost(request.Msg.GetUserId(), post) == nil {
		return nil, errNoAnswer
	}
	return connect.NewResponse(&pb.SendEphemeralPostResponse{}), nil
}

// ownPost is a post that the bot wrote, or an error.
func (s *Service) ownPost(id string) (*model.Post, error) {
	return s.postOf("", id)
}

// postOf is a post that this user wrote, or an error; without a user it is the bot's.
func (s *Service) postOf(author, id string) (*model.Post, error) {
	if author == "" {
		bot, err := s.botID()
		if err != nil {
			return nil, err
		}
		author = bot
	}
	post, appErr := s.api.GetPost(id)
	if err := answered(post, appErr); err != nil {
		return nil, err
	}
	if post.UserId != author {
		return nil, connect.NewError(connect.CodePermissionDenied, errors.New("the post is somebody else's"))
	}
	return post, nil
}

// fill sets what a post says.
func fill(post *model.Post, asked *pb.Post) {
	props := model.StringInterface{
		// Mattermost sets these when a post is created, and loses them when its props are replaced.
		model.PostPropsFromBot:    "true",
		model.PostPropsFromPlugin: "true",
	}
	for name, value := range asked.GetProps() {
		if name != model.PostPropsAttachments {
			props[name] = value
		}
	}
	if len(asked.GetAttachments()) > 0 {
		attachments := make([]*model.MessageAttachment, 0, len(asked.GetAttachments()))
		for _, attachment := range asked.GetAttachments() {
			attachments = append(attachments, toAttachment(attachment))
		}
		props[model.PostPropsAttachments] = attachments
	}
	post.Message = asked.GetMessage()
	post.SetProps(props)
}
