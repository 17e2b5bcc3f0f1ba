package mattermost

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/mattermost/mattermost/server/public/model"
)

// CreateTeam makes an open team.
func (s *Server) CreateTeam(ctx context.Context, name string) (*model.Team, error) {
	team, _, err := s.Admin.Client.CreateTeam(ctx, &model.Team{Name: name, DisplayName: name, Type: model.TeamOpen})
	return team, err
}

// Join makes users members of a team.
func (s *Server) Join(ctx context.Context, team *model.Team, users ...*User) error {
	for _, user := range users {
		if _, _, err := s.Admin.Client.AddTeamMember(ctx, team.Id, user.ID); err != nil {
			return fmt.Errorf("%s cannot join team %s: %w", user.Username, team.Name, err)
		}
	}
	return nil
}

// CreateChannel makes an open channel with these members besides the admin.
func (s *Server) CreateChannel(ctx context.Context, team *model.Team, name string, members ...*User) (*model.Channel, error) {
	channel, _, err := s.Admin.Client.CreateChannel(ctx, &model.Channel{TeamId: team.Id, Name: name, DisplayName: name, Type: model.ChannelTypeOpen})
	if err != nil {
		return nil, err
	}
	return channel, s.Invite(ctx, channel, members...)
}

// InstallPlugin uploads a bundle, over one that may be there, and enables it. It answers once the plugin is running.
func (s *Server) InstallPlugin(ctx context.Context, bundle string) (*model.Manifest, error) {
	file, err := os.Open(bundle)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	manifest, _, err := s.Admin.Client.UploadPluginForced(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("cannot upload %s: %w", bundle, err)
	}
	if _, err := s.Admin.Client.EnablePlugin(ctx, manifest.Id); err != nil {
		return nil, fmt.Errorf("cannot enable %s: %w", manifest.Id, err)
	}
	return manifest, s.WaitForPlugin(ctx, manifest.Id)
}

// RestartPlugin disables and enables a plugin, as an admin does who wants it to start anew.
func (s *Server) RestartPlugin(ctx context.Context, id string) error {
	if _, err := s.Admin.Client.DisablePlugin(ctx, id); err != nil {
		return err
	}
	if _, err := s.Admin.Client.EnablePlugin(ctx, id); err != nil {
		return err
	}
	return s.WaitForPlugin(ctx, id)
}

// PluginState is the plugin's state as Plugin Management shows it, with the error there if any.
func (s *Server) PluginState(ctx context.Context, id string) (state int, trouble string, err error) {
	statuses, _, err := s.Admin.Client.GetPluginStatuses(ctx)
	if err != nil {
		return 0, "", err
	}
	for _, status := range statuses {
		if status.PluginId == id {
			return status.State, status.Error, nil
		}
	}
	return model.PluginStateNotRunning, "", nil
}

// WaitForPlugin waits until the plugin is running.
func (s *Server) WaitForPlugin(ctx context.Context, id string) error {
	for {
		state, trouble, err := s.PluginState(ctx, id)
		switch {
		case err != nil:
			return err
		case state == model.PluginStateRunning:
			return nil
		case state == model.PluginStateFailedToStart || state == model.PluginStateFailedToStayRunning:
			return fmt.Errorf("plugin %s is in state %d: %s", id, state, trouble)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("plugin %s is in state %d and does not get running: %w", id, state, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ConfigurePlugin sets the plugin's settings. Settings that are not given keep their values.
func (s *Server) ConfigurePlugin(ctx context.Context, id string, settings map[string]any) error {
	patch := &model.Config{PluginSettings: model.PluginSettings{Plugins: map[string]map[string]any{id: settings}}}
	_, _, err := s.Admin.Client.PatchConfig(ctx, patch)
	return err
}

// Posts are the posts of a channel as a user sees them, oldest first, system messages left out.
func (s *Server) Posts(ctx context.Context, channelID string) ([]*model.Post, error) {
	var posts []*model.Post
	for page := 0; ; page++ {
		list, _, err := s.Admin.Client.GetPostsForChannel(ctx, channelID, page, 200, "", false, false)
		if err != nil {
			return nil, err
		}
		for _, id := range list.Order {
			if post := list.Posts[id]; !post.IsSystemMessage() {
				posts = append([]*model.Post{post}, posts...)
			}
		}
		if len(list.Order) < 200 {
			return posts, nil
		}
	}
}

// Post answers a post as a user sees it now.
func (s *Server) Post(ctx context.Context, id string) (*model.Post, error) {
	post, _, err := s.Admin.Client.GetPost(ctx, id, "")
	return post, err
}

// SetSiteURL tells the server where browsers find it.
func (s *Server) SetSiteURL(ctx context.Context, url string) error {
	_, _, err := s.Admin.Client.PatchConfig(ctx, &model.Config{ServiceSettings: model.ServiceSettings{SiteURL: &url}})
	return err
}
