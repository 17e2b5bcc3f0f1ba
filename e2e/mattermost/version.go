package mattermost

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
)

// oldest is the name of the oldest version that the plugin runs on.
const oldest = "9.9"

// OnOldest tells whether the oldest server is tested on, which the environment's MATTERMOST names; otherwise it is the newest.
func OnOldest() bool { return os.Getenv("MATTERMOST") == oldest }

// binaryName is the name of the server that is tested on.
func binaryName() (string, error) {
	switch version := os.Getenv("MATTERMOST"); version {
	case "":
		return newestBinary, nil
	case oldest:
		return "mattermost-" + oldest, nil
	default:
		return "", fmt.Errorf("MATTERMOST is %q: it can be %q, or empty for the newest server", version, oldest)
	}
}

// newestBinary is the name of the newest server.
const newestBinary = "mattermost"

// ChooseOnOldest has only these tests run where the oldest server is tested on. Tests that the command line names run anyway.
// It is called before the tests are.
func ChooseOnOldest[Test any](tests ...Test) error {
	if !OnOldest() {
		return nil
	}
	flag.Parse()
	chosen := flag.Lookup("test.run")
	if chosen == nil || chosen.Value.String() != "" {
		return nil
	}
	var names []string
	for _, test := range tests {
		name := runtime.FuncForPC(reflect.ValueOf(test).Pointer()).Name()
		names = append(names, name[strings.LastIndex(name, ".")+1:])
	}
	return chosen.Value.Set("^(" + strings.Join(names, "|") + ")$")
}
