package mattermost

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/mattermost/mattermost/server/public/model"
)

// Password is every user's.
const Password = "Correct-Horse-1"

// User is somebody with an account and a session.
type User struct {
	// Client has the user's session.
	Client *model.Client4
	// ID of the account.
	ID string
	// Username, without @.
	Username string
	// Password to sign in with.
	Password string
	// Email address: the username at example.com.
	Email string

	server *Server
	ears   *ears
}

// CreateUser makes an account and signs in.
func (s *Server) CreateUser(ctx context.Context, username string) (*User, error) {
	account := &model.User{Username: username, Email: username + "@example.com", Password: Password}
	client := s.client
	if s.Admin != nil {
		client = s.Admin.Client
	}
	if _, _, err := client.CreateUser(ctx, account); err != nil {
		return nil, fmt.Errorf("cannot make the user %s: %w", username, err)
	}
	return s.login(ctx, username, Password)
}

func (s *Server) login(ctx context.Context, username, password string) (*User, error) {
	client := model.NewAPIv4Client(s.URL)
	account, _, err := client.Login(ctx, username, password)
	if err != nil {
		return nil, fmt.Errorf("%s cannot sign in: %w", username, err)
	}
	user := &User{Client: client, ID: account.Id, Username: username, Password: password, Email: account.Email, server: s}
	if user.ears, err = listen(ctx, s.URL, client.AuthToken); err == nil {
		user.ears.account = user.ID
	}
	return user, err
}

// Do sends a request to the server with the user's session.
func (u *User) Do(ctx context.Context, method, path, contentType string, body io.Reader) (int, string, error) {
	return do(ctx, u.server.URL, u.Client.AuthToken, method, path, contentType, body)
}

// Hang up the websocket.
func (u *User) Close() { u.ears.close() }

// Click clicks a button of a post and answers what the user gets to see then.
func (u *User) Click(ctx context.Context, post *model.Post, button string) (Reaction, error) {
	for _, attachment := range post.Attachments() {
		for _, action := range attachment.Actions {
			if action.Name == button {
				return u.ClickAction(ctx, post.Id, action.Id)
			}
		}
	}
	return Reaction{}, fmt.Errorf("the post has no button %s", button)
}

// ClickAction clicks a button by its action's id, whether the post still shows it or not.
func (u *User) ClickAction(ctx context.Context, postID, actionID string) (Reaction, error) {
	u.ears.forget()
	if _, err := u.Client.DoPostAction(ctx, postID, actionID); err != nil {
		return Reaction{}, err
	}
	return u.ears.next(ctx)
}

// ClickAtOnce clicks a button several times at once and hands over what the user gets to see of each, in no order. A click
// that Mattermost refuses has its error for an answer.
func (u *User) ClickAtOnce(ctx context.Context, post *model.Post, button string, times int, answers chan<- string) {
	id := ""
	for _, attachment := range post.Attachments() {
		for _, action := range attachment.Actions {
			if action.Name == button {
				id = action.Id
			}
		}
	}
	u.ears.forget()
	for range times {
		go func() {
			_, err := u.Client.DoPostAction(ctx, post.Id, id)
			var reaction Reaction
			if err == nil {
				reaction, err = u.ears.next(ctx)
			}
			if err != nil {
				reaction.Text = "error: " + err.Error()
			}
			answers <- reaction.Text
		}()
	}
}

// Submit fills in a dialog and submits it. The answer holds what is wrong with it, if anything is: then the dialog would
// stay open.
func (u *User) Submit(ctx context.Context, channelID string, dialog *model.OpenDialogRequest, values map[string]any) (*model.SubmitDialogResponse, error) {
	channel, _, err := u.Client.GetChannel(ctx, channelID)
	if err != nil {
		return nil, err
	}
	u.ears.forget()
	answer, _, err := u.Client.SubmitInteractiveDialog(ctx, model.SubmitDialogRequest{
		URL: dialog.URL, CallbackId: dialog.Dialog.CallbackId, State: dialog.Dialog.State, ChannelId: channelID, TeamId: channel.TeamId, Submission: values,
	})
	return answer, err
}

// Hears tells whether what only this account gets to see is heard.
func (u *User) Hears() bool { return u.ears != nil && u.ears.account == u.ID }

// Forget what the user got to see so far.
func (u *User) Forget() { u.ears.forget() }

// InThreads are the messages that only the user got to see, in threads.
func (u *User) InThreads() []Reaction { return u.ears.inThreads() }

// Next waits for the next thing that the user gets to see, outside of threads.
func (u *User) Next(ctx context.Context) (Reaction, error) { return u.ears.next(ctx) }

// Decide clicks a button, gives a reason where a dialog asks for one, and answers what the user is told in the end.
func (u *User) Decide(ctx context.Context, post *model.Post, button, reason string) (string, error) {
	reaction, err := u.Click(ctx, post, button)
	if err != nil || reaction.Dialog == nil {
		return reaction.Text, err
	}
	values := map[string]any{}
	for _, element := range reaction.Dialog.Dialog.Elements {
		switch element.Type {
		case "bool":
			values[element.Name] = element.Default == "true"
		case "select", "radio":
			values[element.Name] = element.Default
		default:
			values[element.Name] = reason
		}
	}
	answer, err := u.Submit(ctx, post.ChannelId, reaction.Dialog, values)
	if err != nil {
		return "", err
	}
	if answer != nil && (answer.Error != "" || len(answer.Errors) > 0) {
		return "", fmt.Errorf("the dialog stays open: %s %v", answer.Error, answer.Errors)
	}
	reaction, err = u.ears.next(ctx)
	return reaction.Text, err
}

// Command runs a slash command in a channel and answers what only the user sees then.
func (u *User) Command(ctx context.Context, channelID, line string) (string, error) {
	u.ears.forget()
	answer, _, err := u.Client.ExecuteCommand(ctx, channelID, line)
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(answer.Text) != "" {
		return answer.Text, nil
	}
	reaction, err := u.ears.next(ctx)
	return reaction.Text, err
}
