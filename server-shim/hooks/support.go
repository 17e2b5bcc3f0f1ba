package hooks

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"
	"github.com/mattermost/mattermost/server/public/plugin"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/plugin"
)

// errNotActive says that the plugin is not running, or not yet.
var errNotActive = errors.New("the plugin is being started or stopped")

// absenceFile is the file of the support packet that says why there is no other one of this plugin.
const absenceFile = "teleport-access/unavailable.txt"

// GenerateSupportData gives the plugin's files for Mattermost's support packet. It never fails: that the plugin has
// nothing to say is worth knowing, too.
func (p *Plugin) GenerateSupportData(_ *plugin.Context) (files []*model.FileData, _ error) {
	// A panic would end the whole plugin.
	defer func() {
		if problem := recover(); problem != nil {
			p.API.LogError("The support data failed.", "panic", fmt.Sprint(problem), "stack", string(debug.Stack()))
			files = absence(fmt.Errorf("%v", problem))
		}
	}()
	answer, err := p.supportData()
	if err != nil {
		p.API.LogWarn("There is no support data now.", "error", err.Error())
		return absence(err), nil
	}
	for _, file := range answer.GetFiles() {
		files = append(files, &model.FileData{Filename: file.GetName(), Body: file.GetContent()})
	}
	return files, nil
}

// supportData asks the core for the files.
func (p *Plugin) supportData() (*pb.SupportDataResponse, error) {
	if !p.ready.Load() {
		return nil, errNotActive
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	answer, err := client(p.actor.Own()).SupportData(ctx, connect.NewRequest(&pb.SupportDataRequest{Host: p.figures()}))
	if err != nil {
		return nil, err
	}
	return answer.Msg, nil
}

// absence is the file that stands for all others.
func absence(err error) []*model.FileData {
	text := fmt.Sprintf("The core of the plugin could not be asked for its support data: %v.\n"+
		"The server's log says more.\n", err)
	return []*model.FileData{{Filename: absenceFile, Body: []byte(text)}}
}
