package mattermost

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mattermost/mattermost/server/public/model"
)

// open connects to the server's database.
func (s *Server) open() (*sql.DB, error) { return sql.Open("postgres", s.DSN()) }

// StoredProps are a post's props as they stand in the database: with the buttons' addresses and contexts, which the API shows
// to nobody.
func (s *Server) StoredProps(ctx context.Context, postID string) (model.StringInterface, error) {
	database, err := s.open()
	if err != nil {
		return nil, err
	}
	defer database.Close()
	var content []byte
	if err := database.QueryRowContext(ctx, "SELECT props FROM posts WHERE id = $1", postID).Scan(&content); err != nil {
		return nil, fmt.Errorf("cannot read post %s in the database: %w", postID, err)
	}
	props := model.StringInterface{}
	return props, json.Unmarshal(content, &props)
}

// StoredContext is what the post's button with this label sends along with a click; nil where there is no such button.
func (s *Server) StoredContext(ctx context.Context, postID, button string) (map[string]any, error) {
	props, err := s.StoredProps(ctx, postID)
	if err != nil {
		return nil, err
	}
	post := &model.Post{}
	post.SetProps(props)
	for _, attachment := range post.Attachments() {
		for _, action := range attachment.Actions {
			if action.Name == button && action.Integration != nil {
				return action.Integration.Context, nil
			}
		}
	}
	return nil, nil
}

// StoredValue is what a plugin keeps in the key-value store; empty where it keeps nothing there.
func (s *Server) StoredValue(ctx context.Context, pluginID, key string) ([]byte, error) {
	database, err := s.open()
	if err != nil {
		return nil, err
	}
	defer database.Close()
	var value []byte
	err = database.QueryRowContext(ctx, "SELECT pvalue FROM pluginkeyvaluestore WHERE pluginid = $1 AND pkey = $2", pluginID, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return value, err
}

// HoldPost keeps everybody from changing a post until the answer is called; it can be read all the while.
func (s *Server) HoldPost(ctx context.Context, postID string) (release func(), err error) {
	database, err := s.open()
	if err != nil {
		return nil, err
	}
	transaction, err := database.BeginTx(ctx, nil)
	if err == nil {
		_, err = transaction.ExecContext(ctx, "SELECT id FROM posts WHERE id = $1 FOR UPDATE", postID)
	}
	if err != nil {
		_ = database.Close()
		return nil, err
	}
	return func() {
		_ = transaction.Rollback()
		_ = database.Close()
	}, nil
}

// MovePost puts a post into another channel. Over the API that takes a licence, so it is done in the database.
func (s *Server) MovePost(ctx context.Context, postID, channelID string) error {
	return s.change(ctx, "UPDATE posts SET channelid = $1 WHERE id = $2", channelID, postID)
}

// EditPost changes a post's message and props without anybody, plugins included, hearing of it, so it is done in the database.
func (s *Server) EditPost(ctx context.Context, postID, message string, props model.StringInterface) error {
	content, err := json.Marshal(props)
	if err != nil {
		return err
	}
	return s.change(ctx, "UPDATE posts SET message = $1, props = $2 WHERE id = $3", message, content, postID)
}

// HidePost deletes a post without anybody, plugins included, hearing of it.
func (s *Server) HidePost(ctx context.Context, postID string) error {
	return s.change(ctx, "UPDATE posts SET deleteat = $1 WHERE id = $2", model.GetMillis(), postID)
}

// RenameTeam gives a team another address. Over REST nobody can, so it is done in the database, as `mattermost team rename` does.
func (s *Server) RenameTeam(ctx context.Context, teamID, name string) error {
	return s.change(ctx, "UPDATE teams SET name = $1 WHERE id = $2", name, teamID)
}

// change changes the database, and lets the server forget what it remembers of it.
func (s *Server) change(ctx context.Context, statement string, values ...any) error {
	database, err := s.open()
	if err != nil {
		return err
	}
	defer database.Close()
	if _, err := database.ExecContext(ctx, statement, values...); err != nil {
		return err
	}
	_, err = s.Admin.Client.InvalidateCaches(ctx)
	return err
}

// FillStore runs a statement that writes many of a plugin's values at once.
func (s *Server) FillStore(ctx context.Context, statement string, values ...any) error {
	database, err := s.open()
	if err != nil {
		return err
	}
	defer database.Close()
	_, err = database.ExecContext(ctx, statement, values...)
	return err
}
