// Package stage sets up what the tests of the plugin and the demo play on: a real Mattermost server with the plugin's
// bundle, connected to a Teleport cluster.
package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/mattermost"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/postgres"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/repository"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport"
)

const (
	// patience bounds every wait for the plugin. What is waited for takes a second at most on an idle machine.
	patience = 30 * time.Second
	// RequestProp is the prop of a post that holds the id of its access request.
	RequestProp = "teleport_access_request"
	// Approve is the label of the button that approves.
	Approve = "Approve"
	// Deny is the label of the button that denies.
	Deny = "Deny"
	// DenyWithReason is the label of the button that asks for a reason first; it is there where one may be left out.
	DenyWithReason = "Deny with reason…"
	// team is the name of the team that all people are in.
	team = "ops"
)

// Stage is a Mattermost server with the plugin, and some people on it.
type Stage struct {
	// Mattermost is the server.
	Mattermost *mattermost.Server
	// PluginID is the plugin's id, from plugin.json.
	PluginID string
	// Team that all people are in.
	Team *model.Team
	// Approver is named in the settings as somebody who may decide.
	Approver *mattermost.User
	// Bystander is a member of the channel who may not decide.
	Bystander *mattermost.User
	// Requester has the same e-mail address as the Teleport user who asks for access.
	Requester *mattermost.User

	manifest *repository.Manifest
	// database is set where it is the stage's own.
	database *postgres.Cluster
}

// Set starts PostgreSQL and Mattermost, makes the people and installs the bundle. It says what it does.
func Set(ctx context.Context, say func(format string, values ...any)) (*Stage, error) {
	say("Starting PostgreSQL")
	database, err := postgres.Start(ctx)
	if err != nil {
		return nil, err
	}
	stage, err := SetOn(ctx, database, say)
	if err != nil {
		database.Close()
		return nil, err
	}
	stage.database = database
	return stage, nil
}

// SetOn is Set with a database server that is there already, and that stays when the stage is closed.
func SetOn(ctx context.Context, database *postgres.Cluster, say func(format string, values ...any)) (stage *Stage, err error) {
	// Whoever has not built it yet had better know before anything starts.
	if _, err := repository.Bundle(); err != nil {
		return nil, err
	}
	manifest, err := repository.ReadManifest()
	if err != nil {
		return nil, err
	}
	stage = &Stage{PluginID: manifest.ID, manifest: manifest}
	defer func() {
		if err != nil {
			stage.Close()
			stage = nil
		}
	}()
	say("Starting Mattermost")
	if stage.Mattermost, err = mattermost.Start(ctx, database); err != nil {
		return stage, err
	}
	say("Making a team and its people")
	if err = stage.people(ctx); err != nil {
		return stage, err
	}
	say("Uploading and enabling the plugin")
	return stage, stage.Install(ctx)
}

// SetOver makes a stage of what another one has left behind, which fill puts into the database. The plugin is not installed yet.
func SetOver(ctx context.Context, fill func(ctx context.Context, dsn string) error) (stage *Stage, err error) {
	manifest, err := repository.ReadManifest()
	if err != nil {
		return nil, err
	}
	stage = &Stage{PluginID: manifest.ID, manifest: manifest}
	defer func() {
		if err != nil {
			stage.Close()
			stage = nil
		}
	}()
	if stage.database, err = postgres.Start(ctx); err != nil {
		return stage, err
	}
	if stage.Mattermost, err = mattermost.StartOver(ctx, stage.database, fill); err != nil {
		return stage, err
	}
	if stage.Team, _, err = stage.Mattermost.Admin.Client.GetTeamByName(ctx, team, ""); err != nil {
		return stage, err
	}
	for name, place := range stage.places() {
		if *place, err = stage.Mattermost.Login(ctx, name); err != nil {
			return stage, err
		}
	}
	return stage, nil
}

// Install uploads and enables the bundle.
func (s *Stage) Install(ctx context.Context) error {
	bundle, err := repository.Bundle()
	if err != nil {
		return err
	}
	installed, err := s.Mattermost.InstallPlugin(ctx, bundle)
	if err != nil {
		return err
	}
	if installed.Id != s.manifest.ID || installed.Version != s.manifest.Version {
		return fmt.Errorf("%s holds %s %s, but plugin.json says %s %s: build it again", bundle, installed.Id, installed.Version, s.manifest.ID, s.manifest.Version)
	}
	return nil
}

// places are who plays, by username.
func (s *Stage) places() map[string]**mattermost.User {
	return map[string]**mattermost.User{"bob": &s.Approver, "carol": &s.Bystander, "alice": &s.Requester}
}

func (s *Stage) people(ctx context.Context) (err error) {
	if s.Team, err = s.Mattermost.CreateTeam(ctx, team); err != nil {
		return err
	}
	for name, place := range s.places() {
		if *place, err = s.Mattermost.CreateUser(ctx, name); err != nil {
			return err
		}
	}
	return s.Mattermost.Join(ctx, s.Team, s.Approver, s.Bystander, s.Requester)
}

// Close ends everything.
func (s *Stage) Close() {
	if s.Mattermost != nil {
		s.Mattermost.Close()
	}
	if s.database != nil {
		s.database.Close()
	}
}

// Channel makes a channel with all the people in it, and answers it with the recipient that names it in the settings.
func (s *Stage) Channel(ctx context.Context, name string) (channel *model.Channel, recipient string, err error) {
	channel, err = s.Mattermost.CreateChannel(ctx, s.Team, name, s.Approver, s.Bystander, s.Requester)
	return channel, s.Team.Name + "/" + name, err
}

// Settings are the plugin's settings, by the keys of plugin.json. What is not given has the default from there.
type Settings map[string]any

// Configure sets all of the plugin's settings.
func (s *Stage) Configure(ctx context.Context, settings Settings) error {
	all := Settings{}
	for _, setting := range s.manifest.Schema.Settings {
		all[setting.Key] = setting.Default
		if setting.Default == nil {
			all[setting.Key] = ""
		}
	}
	for key, value := range settings {
		if _, known := all[key]; !known {
			return fmt.Errorf("there is no setting %s in plugin.json", key)
		}
		all[key] = value
	}
	return s.Mattermost.ConfigurePlugin(ctx, s.PluginID, all)
}

// Triple are settings for the address with the three files pasted.
func Triple(address string, signed *teleport.Credentials) Settings {
	return Settings{"TeleportAddress": address, "ClientCertificate": signed.Certificate, "ClientKey": signed.Key, "ClusterCA": signed.Authorities}
}

// Identity are settings for the address with the identity file pasted.
func Identity(address string, signed *teleport.Credentials) Settings {
	return Settings{"TeleportAddress": address, "Identity": signed.Identity}
}

// With answers the settings with more of them.
func (s Settings) With(key string, value any) Settings {
	more := Settings{key: value}
	for key, value := range s {
		if _, set := more[key]; !set {
			more[key] = value
		}
	}
	return more
}

// Status is what `/teleport status` answers the system admin.
func (s *Stage) Status(ctx context.Context, channelID string) (string, error) {
	return s.Mattermost.Admin.Command(ctx, channelID, "/teleport status")
}

// Line answers the part of a status that is about one thing, such as "Watch"; a part may have several lines.
func Line(status, name string) string {
	found := ""
	for line := range strings.Lines(status) {
		switch {
		case strings.HasPrefix(line, "- ") && found != "":
			return found
		case strings.Contains(line, "**"+name+"**") || found != "":
			found += line
		}
	}
	return found
}

// WaitForStatus asks for the status until it is as wanted, and answers it. It asks no more often than the plugin lets people.
func (s *Stage) WaitForStatus(ctx context.Context, channelID string, wanted func(status string) bool) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	last := ""
	for {
		status, err := s.Status(ctx, channelID)
		if err == nil && wanted(status) {
			return status, nil
		}
		if status != "" {
			last = status
		}
		select {
		case <-ctx.Done():
			return last, fmt.Errorf("the status does not get as wanted (%v); it is:\n%s", err, last)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// WaitForWatch waits until the plugin watches Teleport.
func (s *Stage) WaitForWatch(ctx context.Context, channelID string) error {
	_, err := s.WaitForStatus(ctx, channelID, func(status string) bool { return strings.Contains(Line(status, "Watch"), "✅") })
	return err
}

// PostsOf answers the posts of an access request in a channel, replies left out.
func (s *Stage) PostsOf(ctx context.Context, channelID, requestID string) ([]*model.Post, error) {
	all, err := s.Mattermost.Posts(ctx, channelID)
	if err != nil {
		return nil, err
	}
	var posts []*model.Post
	for _, post := range all {
		if post.GetProp(RequestProp) == requestID && post.RootId == "" {
			posts = append(posts, post)
		}
	}
	return posts, nil
}

// isWritten tells whether the plugin has read back what it wrote, which is when a post's buttons begin to work. Nobody but a test
// would be faster. Posts without buttons are.
func (s *Stage) isWritten(ctx context.Context, post *model.Post) bool {
	if len(Buttons(post)) == 0 {
		return true
	}
	key := fmt.Sprintf("request:%v:%v", post.GetProp("teleport_cluster"), post.GetProp(RequestProp))
	value, err := s.Mattermost.StoredValue(ctx, s.PluginID, key)
	var record struct {
		Postings []struct {
			PostID string `json:"post_id"`
			Hash   string `json:"hash"`
		} `json:"postings"`
	}
	if err != nil || json.Unmarshal(value, &record) != nil {
		return false
	}
	for _, posting := range record.Postings {
		if posting.PostID == post.Id {
			return posting.Hash != ""
		}
	}
	return false
}

// WaitForPost waits until the request's post is as wanted, and its buttons work; nil wants nothing but the post.
func (s *Stage) WaitForPost(ctx context.Context, channelID, requestID string, wanted func(*model.Post) bool) (*model.Post, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var posts []*model.Post
	for {
		found, err := s.PostsOf(ctx, channelID, requestID)
		if err == nil && len(found) == 1 && (wanted == nil || wanted(found[0])) && s.isWritten(ctx, found[0]) {
			return found[0], nil
		}
		if err == nil {
			posts = found
		}
		select {
		case <-ctx.Done():
			text := ""
			for _, post := range posts {
				text += "\n" + Text(post)
			}
			return nil, fmt.Errorf("request %s has %d posts in the channel, want one as wanted (%v)%s", requestID, len(posts), err, text)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Buttons are the labels of a post's buttons.
func Buttons(post *model.Post) []string {
	var labels []string
	for _, attachment := range post.Attachments() {
		for _, action := range attachment.Actions {
			labels = append(labels, action.Name)
		}
	}
	return labels
}

// IsDecidable tells whether a post lets people approve and deny.
func IsDecidable(post *model.Post) bool {
	buttons := Buttons(post)
	return slices.Contains(buttons, Approve) && slices.Contains(buttons, Deny)
}

// Text is a post as plain text: message, fields and buttons.
func Text(post *model.Post) string {
	var text strings.Builder
	fmt.Fprintln(&text, post.Message)
	for _, attachment := range post.Attachments() {
		for _, part := range []string{attachment.Pretext, attachment.Title, attachment.Text} {
			if part != "" {
				fmt.Fprintln(&text, part)
			}
		}
		for _, field := range attachment.Fields {
			fmt.Fprintf(&text, "%-16s %v\n", field.Title, field.Value)
		}
		if attachment.Footer != "" {
			fmt.Fprintln(&text, attachment.Footer)
		}
		for _, action := range attachment.Actions {
			fmt.Fprintf(&text, "[ %s ] ", action.Name)
		}
	}
	return strings.TrimRight(text.String(), "\n ")
}
