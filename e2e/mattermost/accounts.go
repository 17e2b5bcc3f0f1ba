package mattermost

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/mattermost/mattermost/server/public/model"
)

// CreatePrivateChannel makes a channel that only its members see: the admin, who makes it, and these.
func (s *Server) CreatePrivateChannel(ctx context.Context, team *model.Team, name string, members ...*User) (*model.Channel, error) {
	channel, _, err := s.Admin.Client.CreateChannel(ctx, &model.Channel{TeamId: team.Id, Name: name, DisplayName: name, Type: model.ChannelTypePrivate})
	if err != nil {
		return nil, err
	}
	return channel, s.Invite(ctx, channel, members...)
}

// Invite makes users members of a channel.
func (s *Server) Invite(ctx context.Context, channel *model.Channel, users ...*User) error {
	for _, user := range users {
		if _, _, err := s.Admin.Client.AddChannelMember(ctx, channel.Id, user.ID); err != nil {
			return fmt.Errorf("%s cannot join channel %s: %w", user.Username, channel.Name, err)
		}
	}
	return nil
}

// Deactivate takes an account out of service, as an admin does when somebody leaves.
func (s *Server) Deactivate(ctx context.Context, user *User) error {
	_, err := s.Admin.Client.UpdateUserActive(ctx, user.ID, false)
	return err
}

// VerifyEmail lets a user's e-mail address count as verified.
func (s *Server) VerifyEmail(ctx context.Context, user *User) error {
	_, _, err := s.Admin.Client.VerifyUserEmailWithoutToken(ctx, user.ID)
	return err
}

// MakeGuest turns an account into a guest's. Over the API that takes a licence, so it is done in the database.
func (s *Server) MakeGuest(ctx context.Context, user *User) error {
	database, err := sql.Open("postgres", s.database.DSN(s.databaseName))
	if err != nil {
		return err
	}
	defer database.Close()
	if _, err := database.ExecContext(ctx, "UPDATE users SET roles = $1 WHERE id = $2", model.SystemGuestRoleId, user.ID); err != nil {
		return err
	}
	_, err = s.Admin.Client.InvalidateCaches(ctx)
	return err
}

// DirectPosts are the posts of a user's direct channel with somebody else, as the user sees them, oldest first.
func (u *User) DirectPosts(ctx context.Context, otherID string) ([]*model.Post, error) {
	channel, _, err := u.Client.CreateDirectChannel(ctx, u.ID, otherID)
	if err != nil {
		return nil, err
	}
	list, _, err := u.Client.GetPostsForChannel(ctx, channel.Id, 0, 200, "", false, false)
	if err != nil {
		return nil, err
	}
	posts := make([]*model.Post, 0, len(list.Order))
	for _, id := range list.Order {
		posts = append([]*model.Post{list.Posts[id]}, posts...)
	}
	return posts, nil
}

// Rename gives an account another username, as its owner may do at any time.
func (u *User) Rename(ctx context.Context, username string) error {
	_, _, err := u.Client.PatchUser(ctx, u.ID, &model.UserPatch{Username: &username, Password: &u.Password})
	if err == nil {
		u.Username = username
	}
	return err
}

// ChangeEmail gives an account another e-mail address, which nobody has verified then.
func (u *User) ChangeEmail(ctx context.Context, address string) error {
	_, _, err := u.Client.PatchUser(ctx, u.ID, &model.UserPatch{Email: &address, Password: &u.Password})
	if err == nil {
		u.Email = address
	}
	return err
}

// DirectChannel is the user's direct channel with somebody else.
func (u *User) DirectChannel(ctx context.Context, otherID string) (*model.Channel, error) {
	channel, _, err := u.Client.CreateDirectChannel(ctx, u.ID, otherID)
	return channel, err
}

// WithToken is the account as somebody who has a token for it and no login.
func (u *User) WithToken(token string) *User {
	client := model.NewAPIv4Client(u.server.URL)
	client.SetToken(token)
	return &User{Client: client, ID: u.ID, Username: u.Username, Email: u.Email, server: u.server, ears: u.ears}
}
