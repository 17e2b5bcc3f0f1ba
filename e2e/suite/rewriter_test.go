package suite

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mattermost/mattermost/server/public/model"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/repository"
	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/stage"
)

// rewriterID is the id of the plugin in e2e/rewriter.
const rewriterID = "com.example.rewriter"

// bundled builds the plugin in a folder of e2e, whose id ends with the folder's name.
func (s *scene) bundled(folder string) []byte {
	s.Helper()
	root, err := repository.Root()
	s.must(err)
	binary := filepath.Join(s.TempDir(), folder)
	build := exec.CommandContext(s.ctx, "go", "build", "-o", binary, "./"+folder)
	build.Dir = filepath.Join(root, "e2e")
	if output, err := build.CombinedOutput(); err != nil {
		s.Fatalf("cannot build the plugin %s: %v\n%s", folder, err, output)
	}
	executable, err := os.ReadFile(binary)
	s.must(err)
	id := "com.example." + folder
	manifest, err := json.Marshal(model.Manifest{Id: id, Name: folder, Version: "1.0.0", Server: &model.ManifestServer{Executable: folder}})
	s.must(err)
	var bundle bytes.Buffer
	packed := gzip.NewWriter(&bundle)
	files := tar.NewWriter(packed)
	for name, content := range map[string][]byte{"plugin.json": manifest, folder: executable} {
		s.must(files.WriteHeader(&tar.Header{Name: id + "/" + name, Mode: 0o755, Size: int64(len(content))}))
		_, err := files.Write(content)
		s.must(err)
	}
	s.must(files.Close())
	s.must(packed.Close())
	return bundle.Bytes()
}

// rewrites installs a second plugin that changes posts as told, until the test is over.
func (s *scene) rewrites(settings map[string]any) {
	s.Helper()
	admin := set.Mattermost.Admin.Client
	_, _, err := admin.UploadPluginForced(s.ctx, bytes.NewReader(s.bundled("rewriter")))
	s.must(err)
	s.Cleanup(func() {
		if _, err := admin.RemovePlugin(s.ctx, rewriterID); err != nil {
			s.Errorf("the rewriter is not removed: %v", err)
		}
	})
	// Along with the settings of all other plugins, which would be gone else.
	config, _, err := admin.GetConfig(s.ctx)
	s.must(err)
	config.PluginSettings.Plugins[rewriterID] = settings
	_, _, err = admin.PatchConfig(s.ctx, &model.Config{PluginSettings: model.PluginSettings{Plugins: config.PluginSettings.Plugins}})
	s.must(err)
	_, err = admin.EnablePlugin(s.ctx, rewriterID)
	s.must(err)
	s.must(set.Mattermost.WaitForPlugin(s.ctx, rewriterID))
}

// field is a post's field as people read it; empty where there is none.
func field(post *model.Post, title string) string {
	for _, attachment := range post.Attachments() {
		for _, field := range attachment.Fields {
			if text, isText := field.Value.(string); isText && field.Title == title {
				return text
			}
		}
	}
	return ""
}

// undecidable waits until the request's post has no Approve button and the status says that another plugin changes posts.
func (s *scene) undecidable(id string) {
	s.Helper()
	_, err := set.WaitForPost(s.ctx, s.channel.Id, id, func(post *model.Post) bool {
		return action(post, stage.Approve) == ""
	})
	s.must(err)
	_, err = set.WaitForStatus(s.ctx, s.channel.Id, func(status string) bool {
		return strings.Contains(strings.ToLower(status), "another plugin")
	})
	s.must(err)
	// It stays like that: what is written again is changed again.
	time.Sleep(2 * time.Second)
	posts, err := set.PostsOf(s.ctx, s.channel.Id, id)
	s.must(err)
	for _, post := range posts {
		if action(post, stage.Approve) != "" {
			s.Errorf("the post has an Approve button again:\n%s", stage.Text(post))
		}
	}
	s.undecided("a post that another plugin changes", id)
}

func TestAPostThatAnotherPluginChangesHasNoApproveButton(t *testing.T) {
	for name, settings := range map[string]map[string]any{
		"a role is replaced":          {"old": "dba", "new": "prod-read", "posts": true, "updates": true},
		"a role is dropped":           {"old": "`dba`", "new": "", "posts": true, "updates": true},
		"the reason is dropped":       {"old": "because", "new": "", "posts": true, "updates": true},
		"a role is made a link":       {"old": "dba", "new": "[dba](https://wiki.example.com/dba)", "posts": true, "updates": true},
		"only new posts are changed":  {"old": "dba", "new": "prod-read", "posts": true, "updates": false},
		"the requester's name is new": {"old": "alice@", "new": "carol@", "posts": true, "updates": true},
	} {
		t.Run(name, func(t *testing.T) {
			onDouble(t, func(s *scene) {
				s.connect(s.settings().With("AskReason", "never"))
				s.rewrites(settings)
				id := s.file("because")
				if settings["updates"] == true {
					s.undecidable(id)
					return
				}
				// What is written again may stand: then it is shown as it is, and can be decided.
				post, err := set.WaitForPost(s.ctx, s.channel.Id, id, func(post *model.Post) bool {
					return action(post, stage.Approve) == "" || field(post, "Role") == "`dba`"
				})
				s.must(err)
				s.Logf("in the end it stands there as\n%s", stage.Text(post))
			})
		})
	}
}

func TestAPostThatAnotherPluginChangesWhenItIsUpdatedLosesItsApproveButton(t *testing.T) {
	onModern(t, onBehalf+reviewers+careful, func(s *scene) {
		s.connect(s.byTeleport("bob", "rita", "carol", "rob"))
		id := s.file("because")
		s.post(id)
		s.rewrites(map[string]any{"old": "dba", "new": "prod-read", "posts": true, "updates": true})
		// A review updates the post.
		s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "1 of 2")
		s.undecidable(id)
	})
}

func TestPostsCanBeDecidedAgainOnceNoOtherPluginChangesThem(t *testing.T) {
	onDouble(t, func(s *scene) {
		s.connect(s.settings().With("AskReason", "never"))
		s.rewrites(map[string]any{"old": "dba", "new": "prod-read", "posts": true, "updates": true})
		s.undecidable(s.file("because"))
		_, err := set.Mattermost.Admin.Client.DisablePlugin(s.ctx, rewriterID)
		s.must(err)
		id := s.file("after the other plugin was disabled")
		s.holds(s.clickOnce(set.Approver, s.post(id), stage.Approve), "You approved")
		s.settled(id, "bob")
	})
}
