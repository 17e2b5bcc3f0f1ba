package mattermost

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// section is a part of Mattermost's config.json. What is not given takes the server's default.
type section map[string]any

// writeConfig writes the server's configuration: a plain server on loopback that calls nobody.
func (s *Server) writeConfig(dsn string) error {
	config := map[string]section{
		"ServiceSettings": {
			"SiteURL": s.URL, "ListenAddress": s.address, "EnableLocalMode": false, "EnableSecurityFixAlert": false,
			"EnableLinkPreviews": false, "EnablePermalinkPreviews": false, "EnableOnboardingFlow": false, "EnableTutorial": false,
			"EnableUserAccessTokens": true, "EnableBotAccountCreation": true, "EnableOAuthServiceProvider": true,
		},
		"TeamSettings": {"EnableOpenServer": true, "MaxUsersPerTeam": 1000, "SiteName": "Mattermost"},
		"SqlSettings":  {"DriverName": "postgres", "DataSource": dsn, "MaxIdleConns": 5, "MaxOpenConns": 40},
		"FileSettings": {
			"DriverName": "local", "Directory": s.data, "ExportDirectory": filepath.Join(s.dir, "export"), "MaxFileSize": 200 << 20,
		},
		"ImportSettings": {"Directory": filepath.Join(s.dir, "import")},
		"PluginSettings": {
			"Enable": true, "EnableUploads": true, "EnableHealthCheck": true, "RequirePluginSignature": false,
			"EnableMarketplace": false, "EnableRemoteMarketplace": false, "AutomaticPrepackagedPlugins": false,
			"Directory": filepath.Join(s.dir, "plugins"), "ClientDirectory": filepath.Join(s.dir, "client", "plugins"),
		},
		"EmailSettings": {
			"SendEmailNotifications": false, "SendPushNotifications": false, "RequireEmailVerification": false,
			"EnablePreviewModeBanner": false, "SMTPServer": "127.0.0.1",
		},
		"RateLimitSettings":    {"Enable": false},
		"LogSettings":          {"EnableConsole": true, "ConsoleLevel": "DEBUG", "ConsoleJson": true, "EnableFile": false, "EnableDiagnostics": false, "EnableSentry": false, "FileLocation": s.dir},
		"AnnouncementSettings": {"AdminNoticesEnabled": false, "UserNoticesEnabled": false},
		"PasswordSettings":     {"MinimumLength": 8},
		// With jobs, a stop within the first 15 seconds waits for their random first sleep.
		"JobSettings": {"RunJobs": false, "RunScheduler": false},
	}
	content, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(s.ConfigPath(), content, 0o600)
}

// ConfigPath is the file that the configuration is stored in.
func (s *Server) ConfigPath() string { return filepath.Join(s.dir, "config.json") }

// Config is the server's configuration as it is stored, secrets included.
func (s *Server) Config() (string, error) {
	content, err := os.ReadFile(s.ConfigPath())
	return string(content), err
}
