package mattermost

import (
	"github.com/mattermost/mattermost/server/public/model"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/mattermost"
)

func toAttachment(attachment *pb.Attachment) *model.MessageAttachment {
	answer := &model.MessageAttachment{
		Fallback:  attachment.GetFallback(),
		Color:     attachment.GetColor(),
		Pretext:   attachment.GetPretext(),
		Title:     attachment.GetTitle(),
		TitleLink: attachment.GetTitleLink(),
		Text:      attachment.GetText(),
		Footer:    attachment.GetFooter(),
	}
	for _, field := range attachment.GetFields() {
		answer.Fields = append(answer.Fields, &model.MessageAttachmentField{
			Title: field.GetTitle(),
			Value: field.GetValue(),
			Short: model.SlackCompatibleBool(field.GetShort()),
		})
	}
	for _, action := range attachment.GetActions() {
		// The connection between plugin and server carries no other kind of map.
		values := make(map[string]any, len(action.GetContext()))
		for name, value := range action.GetContext() {
			values[name] = value
		}
		answer.Actions = append(answer.Actions, &model.PostAction{
			Id:          action.GetId(),
			Type:        model.PostActionTypeButton,
			Name:        action.GetName(),
			Style:       action.GetStyle(),
			Integration: &model.PostActionIntegration{URL: action.GetUrl(), Context: values},
		})
	}
	return answer
}
