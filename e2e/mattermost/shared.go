package mattermost

import "context"

// DSN is the address of the server's database, for looking at what stands there.
func (s *Server) DSN() string { return s.database.DSN(s.databaseName) }

// Login signs in somebody whose account was made on another server with the same database.
func (s *Server) Login(ctx context.Context, username string) (*User, error) {
	return s.login(ctx, username, Password)
}
