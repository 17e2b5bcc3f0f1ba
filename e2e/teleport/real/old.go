package real

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// oldReleases are of the plugin's first days.
var oldReleases = []release{old("4.3.10"), old("5.1.0"), old("6.2.1")}

func old(version string) release {
	minor := version[:strings.LastIndexByte(version, '.')]
	return release{
		version: version, binary: "teleport-" + minor, cluster: "tp-" + minor + ".example", configuration: oldConfiguration, ports: 4,
		rolesByAPI: true,
	}
}

// OldVersions are the versions that StartOld starts, oldest first.
func OldVersions() []string {
	var versions []string
	for _, release := range oldReleases {
		versions = append(versions, release.version)
	}
	return versions
}

// StartOld makes a cluster of an old version and waits until it serves.
func StartOld(ctx context.Context, version string) (*Server, error) {
	at := slices.IndexFunc(oldReleases, func(release release) bool { return release.version == version })
	if at < 0 {
		return nil, fmt.Errorf("there is no real Teleport %s, only %v", version, OldVersions())
	}
	return start(ctx, oldReleases[at])
}

// oldConfiguration is a teleport.yaml of servers whose proxies do no TLS routing: they listen at a port for each purpose.
const oldConfiguration = `teleport:
  nodename: teleport
  data_dir: %[1]s
  storage:
    type: sqlite
    path: %[1]s/backend
    poll_stream_period: 50000000
  log:
    output: stderr
    severity: INFO
auth_service:
  enabled: yes
  listen_addr: %[3]s
  cluster_name: %[2]s
  authentication:
    type: local
    second_factor: off
proxy_service:
  enabled: yes
  web_listen_addr: %[4]s
  listen_addr: %[5]s
  tunnel_listen_addr: %[6]s
ssh_service:
  enabled: no
`

// createBoth makes roles and users apart: the old open source tctl creates users only.
func (s *Server) createBoth(ctx context.Context, text string) error {
	roles, users, err := byKind(text)
	if err != nil {
		return err
	}
	if roles != "" {
		if err := s.onFile(ctx, roles, "role"); err != nil {
			return err
		}
	}
	if users == "" {
		return nil
	}
	return s.onFile(ctx, users, "create", "-f")
}

// byKind divides YAML documents into roles and all others.
func byKind(text string) (roles, others string, err error) {
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for {
		var document yaml.Node
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return roles, others, nil
		} else if err != nil {
			return "", "", err
		}
		var head struct {
			Kind string `yaml:"kind"`
		}
		if err := document.Decode(&head); err != nil {
			return "", "", err
		}
		var content bytes.Buffer
		if err := yaml.NewEncoder(&content).Encode(&document); err != nil {
			return "", "", err
		}
		into := &others
		if head.Kind == "role" {
			into = &roles
		}
		*into += "---\n" + content.String()
	}
}
