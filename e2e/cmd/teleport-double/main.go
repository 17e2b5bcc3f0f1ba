// Command teleport-double serves a Teleport double until Ctrl-C:
//
//	go run ./cmd/teleport-double -dir /tmp/double -populate -sign access-plugin,alice@example.com -verbose
//
// It writes where it serves as JSON. The address "control" takes what can be done to it: see double.Control.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/teleport/double"
)

func main() {
	err := double.Main(context.Background(), os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
