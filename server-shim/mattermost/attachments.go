package mattermost

import (
	"fmt"

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

func fromAttachment(attachment *model.MessageAttachment) *pb.Attachment {
	answer := &pb.Attachment{
		Fallback:  attachment.Fallback,
		Color:     attachment.Color,
		Pretext:   attachment.Pretext,
		Title:     attachment.Title,
		TitleLink: attachment.TitleLink,
		Text:      attachment.Text,
		Footer:    attachment.Footer,
	}
	for _, field := range attachment.Fields {
		if field == nil {
			continue
		}
		value, isText := field.Value.(string)
		if !isText && field.Value != nil {
			value = fmt.Sprint(field.Value)
		}
		answer.Fields = append(answer.Fields, &pb.AttachmentField{
			Title: field.Title, Value: value, Short: bool(field.Short),
		})
	}
	for _, action := range attachment.Actions {
		if action != nil {
			answer.Actions = append(answer.Actions, &pb.Action{Id: action.Id, Name: action.Name, Style: action.Style})
		}
	}
	return answer
}
