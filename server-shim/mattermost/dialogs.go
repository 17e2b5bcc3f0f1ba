package mattermost

import (
	"context"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/model"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/mattermost"
)

// OpenDialog opens a dialog at whoever clicked.
func (s *Service) OpenDialog(
	_ context.Context, request *connect.Request[pb.OpenDialogRequest],
) (*connect.Response[pb.OpenDialogResponse], error) {
	dialog := request.Msg.GetDialog()
	asked := model.OpenDialogRequest{
		TriggerId: request.Msg.GetTriggerId(),
		URL:       request.Msg.GetUrl(),
		Dialog: model.Dialog{
			CallbackId:       dialog.GetCallbackId(),
			Title:            dialog.GetTitle(),
			IntroductionText: dialog.GetIntroductionText(),
			SubmitLabel:      dialog.GetSubmitLabel(),
			State:            dialog.GetState(),
			NotifyOnCancel:   dialog.GetNotifyOnCancel(),
		},
	}
	for _, element := range dialog.GetElements() {
		options := make([]*model.PostActionOptions, 0, len(element.GetOptions()))
		for _, option := range element.GetOptions() {
			options = append(options, &model.PostActionOptions{Text: option.GetText(), Value: option.GetValue()})
		}
		asked.Dialog.Elements = append(asked.Dialog.Elements, model.DialogElement{
			DisplayName: element.GetDisplayName(),
			Name:        element.GetName(),
			Type:        element.GetType(),
			SubType:     element.GetSubtype(),
			Default:     element.GetDefault(),
			Placeholder: element.GetPlaceholder(),
			HelpText:    element.GetHelpText(),
			Optional:    element.GetOptional(),
			MinLength:   int(element.GetMinLength()),
			MaxLength:   int(element.GetMaxLength()),
			Options:     options,
		})
	}
	if err := check(s.api.OpenInteractiveDialog(asked)); err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.OpenDialogResponse{}), nil
}
