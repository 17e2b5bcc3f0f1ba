package sdk

import (
	"fmt"

	"golang.org/x/mod/semver"
)

// Newer is a call of the Plugin API, or a hook, that came after the oldest server that the plugin runs on.
type Newer struct {
	// Name of the call or the hook.
	Name string
	// First is the server's version that brought it, such as "10.11.0".
	First string
	// Without is what the plugin does not do on a server that lacks it, as a sentence for the status.
	Without string
}

// newer are all that the plugin uses. Whoever uses another one enters it here, asks Knows before each call, and says in the
// answer that there was no call: an empty answer would be a lie. The oldest server knows all else, which is checked.
var newer = []Newer{}

// Knows says whether a server of a version knows a call or a hook.
func Knows(version, name string) bool { return knows(newer, version, name) }

// Missing is what the plugin does not do on a server of a version, for the status.
func Missing(version string) []string { return missing(newer, version) }

func knows(newer []Newer, version, name string) bool {
	for _, one := range newer {
		if one.Name == name {
			return isAtLeast(version, one.First)
		}
	}
	return true
}

func missing(newer []Newer, version string) []string {
	var notes []string
	for _, one := range newer {
		if !isAtLeast(version, one.First) {
			notes = append(notes, fmt.Sprintf("%s It takes Mattermost %s or later.", one.Without, one.First))
		}
	}
	return notes
}

// savesWithSecrets is the first version of which it was seen that SavePluginConfig leaves all of the server's own secrets as they
// are. 9.9 was seen to write asterisks in the place of some.
const savesWithSecrets = "11.4.0"

// SavesWithSecrets says whether a server of a version keeps all of its own secrets when a plugin saves its settings.
func SavesWithSecrets(version string) bool { return isAtLeast(version, savesWithSecrets) }

// isAtLeast compares versions as Mattermost writes them. What is no version is older than any.
func isAtLeast(version, first string) bool {
	return semver.IsValid("v"+version) && semver.Compare("v"+version, "v"+first) >= 0
}
