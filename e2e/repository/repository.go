// Package repository finds what the end-to-end tests need in the repository that they belong to.
package repository

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Root is the repository's top folder: the one with plugin.json, at or above the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "plugin.json")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("there is no plugin.json at or above the working directory: run this inside the repository")
		}
		dir = up
	}
}

// Manifest is what the tests read in plugin.json.
type Manifest struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	Schema  struct {
		Settings []Setting `json:"settings"`
	} `json:"settings_schema"`
}

// Setting is one of the plugin's settings.
type Setting struct {
	Key     string `json:"key"`
	Default any    `json:"default"`
}

// ReadManifest reads plugin.json.
func ReadManifest() (*Manifest, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(filepath.Join(root, "plugin.json"))
	if err != nil {
		return nil, err
	}
	manifest := &Manifest{}
	return manifest, json.Unmarshal(content, manifest)
}

// Bundle is the path of the plugin's bundle for this platform: the environment's BUNDLE, else the one in dist.
func Bundle() (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	manifest, err := ReadManifest()
	if err != nil {
		return "", err
	}
	path := os.Getenv("BUNDLE")
	if path == "" {
		path = filepath.Join(root, "dist", fmt.Sprintf("%s-%s-%s-%s.tar.gz", manifest.ID, manifest.Version, runtime.GOOS, runtime.GOARCH))
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("there is no bundle at %s: run `make bundle` first, or name one in BUNDLE", path)
	}
	return path, nil
}

// Server is the path of one of the real servers: "mattermost", "mattermost-9.9" or "teleport".
func Server(name string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "build", "bin", name+"-server")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("there is no %s server at %s: run `make servers` first", name, path)
	}
	return path, nil
}
