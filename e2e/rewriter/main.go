// Command rewriter is a Mattermost plugin that changes the texts of other plugins' posts, as autolinkers and word filters do.
// The tests of the plugin build, upload and disable it.
package main

import (
	"encoding/json"
	"strings"
	"sync"

	"github.com/mattermost/mattermost/server/public/model"
	"github.com/mattermost/mattermost/server/public/plugin"
)

// rewriter is the plugin.
type rewriter struct {
	plugin.MattermostPlugin
	mu     sync.RWMutex
	wanted settings
}

// settings say what is rewritten. Keys of settings reach plugins in lower case.
type settings struct {
	// Old is the text to look for in attachments; empty: nothing is changed.
	Old string `json:"old"`
	// New is put in its place.
	New string `json:"new"`
	// Posts says whether new posts are changed.
	Posts bool `json:"posts"`
	// Updates says whether changed posts are.
	Updates bool `json:"updates"`
}

// OnConfigurationChange reads the settings.
func (r *rewriter) OnConfigurationChange() error {
	var wanted settings
	if err := r.API.LoadPluginConfiguration(&wanted); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wanted = wanted
	return nil
}

// MessageWillBePosted rewrites a new post.
func (r *rewriter) MessageWillBePosted(_ *plugin.Context, post *model.Post) (*model.Post, string) {
	return r.rewrite(post, func(wanted settings) bool { return wanted.Posts }), ""
}

// MessageWillBeUpdated rewrites a post that is changed.
func (r *rewriter) MessageWillBeUpdated(_ *plugin.Context, post, _ *model.Post) (*model.Post, string) {
	return r.rewrite(post, func(wanted settings) bool { return wanted.Updates }), ""
}

func (r *rewriter) rewrite(post *model.Post, is func(settings) bool) *model.Post {
	r.mu.RLock()
	wanted := r.wanted
	r.mu.RUnlock()
	if wanted.Old == "" || !is(wanted) {
		return post
	}
	// As JSON, which every version of the server understands.
	content, err := json.Marshal(post.GetProp("attachments"))
	var found []map[string]any
	if err == nil {
		err = json.Unmarshal(content, &found)
	}
	if err != nil {
		r.API.LogError("The post stays as it was.", "error", err.Error())
		return post
	}
	changed := make([]any, 0, len(found))
	for _, attachment := range found {
		fields, _ := attachment["fields"].([]any)
		for _, field := range fields {
			if field, isField := field.(map[string]any); isField {
				replace(field, "value", wanted)
			}
		}
		replace(attachment, "text", wanted)
		changed = append(changed, attachment)
	}
	if len(changed) > 0 {
		post.AddProp("attachments", changed)
	}
	return post
}

// replace replaces a text in an object.
func replace(object map[string]any, key string, wanted settings) {
	if text, isText := object[key].(string); isText {
		object[key] = strings.ReplaceAll(text, wanted.Old, wanted.New)
	}
}

func main() { plugin.ClientMain(&rewriter{}) }
