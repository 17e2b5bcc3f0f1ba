package mattermost

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/mattermost/mattermost/server/public/model"

	pb "github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/gen/mattermost"
)

// What follows reads posts back. Whoever reads the post in Mattermost must see nothing that the answer does not hold:
// the core compares it with what it sent. So what this contract has no name for is handed on as JSON, and the same post
// always gives the same answer: encoding/json sorts the keys of maps.

func fromPost(post *model.Post) *pb.Post {
	answer := &pb.Post{
		Id:        post.Id,
		ChannelId: post.ChannelId,
		UserId:    post.UserId,
		RootId:    post.RootId,
		Message:   post.Message,
		Props:     map[string]string{},
		CreateAt:  post.CreateAt,
		UpdateAt:  post.UpdateAt,
		DeleteAt:  post.DeleteAt,
		EditAt:    post.EditAt,
		Type:      post.Type,
		FileIds:   post.FileIds,
	}
	for name, value := range post.GetProps() {
		if name == model.PostPropsAttachments {
			answer.Attachments = fromAttachments(value)
			continue
		}
		if text, ok := value.(string); ok {
			answer.Props[name] = text
			continue
		}
		if answer.OtherProps == nil {
			answer.OtherProps = map[string]string{}
		}
		answer.OtherProps[name] = inJSON(value)
	}
	return answer
}

// inJSON is a value as JSON. What JSON cannot express still is not nothing.
func inJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("%q", fmt.Sprintf("%#v", value))
	}
	return string(text)
}

// fromAttachments reads the attachments of a post. Not Post.Attachments: that one leaves out what it cannot read, which
// browsers, less strict with types, may show all the same.
func fromAttachments(value any) []*pb.Attachment {
	var all []json.RawMessage
	if raw := inJSON(value); json.Unmarshal([]byte(raw), &all) != nil {
		return []*pb.Attachment{unreadable(raw)}
	}
	answer := make([]*pb.Attachment, 0, len(all))
	for _, raw := range all {
		attachment := &model.MessageAttachment{}
		if string(raw) == "null" || json.Unmarshal(raw, attachment) != nil {
			answer = append(answer, unreadable(string(raw)))
			continue
		}
		answer = append(answer, fromAttachment(attachment, raw))
	}
	return answer
}

// unreadable stands for an attachment that is none of Mattermost's kind.
func unreadable(raw string) *pb.Attachment {
	return &pb.Attachment{Text: raw, Timestamp: raw}
}

func fromAttachment(attachment *model.MessageAttachment, raw json.RawMessage) *pb.Attachment {
	answer := &pb.Attachment{
		Fallback:   attachment.Fallback,
		Color:      attachment.Color,
		Pretext:    attachment.Pretext,
		Title:      attachment.Title,
		TitleLink:  attachment.TitleLink,
		Text:       attachment.Text,
		Footer:     attachment.Footer,
		AuthorName: attachment.AuthorName,
		AuthorLink: attachment.AuthorLink,
		AuthorIcon: attachment.AuthorIcon,
		ImageUrl:   attachment.ImageURL,
		ThumbUrl:   attachment.ThumbURL,
		FooterIcon: attachment.FooterIcon,
	}
	others := unnamed(raw, reflect.TypeFor[model.MessageAttachment]())
	if attachment.Timestamp != nil && attachment.Timestamp != "" {
		others["ts"] = attachment.Timestamp
	}
	if len(others) == 1 && others["ts"] != nil {
		answer.Timestamp = inJSON(others["ts"])
	} else if len(others) > 0 {
		answer.Timestamp = inJSON(others)
	}
	for _, field := range attachment.Fields {
		answer.Fields = append(answer.Fields, fromField(field))
	}
	for _, action := range attachment.Actions {
		answer.Actions = append(answer.Actions, fromAction(action))
	}
	return answer
}

func fromField(field *model.MessageAttachmentField) *pb.AttachmentField {
	if field == nil {
		return &pb.AttachmentField{}
	}
	value, isText := field.Value.(string)
	if !isText && field.Value != nil {
		value = inJSON(field.Value)
	}
	return &pb.AttachmentField{Title: field.Title, Value: value, Short: bool(field.Short)}
}

func fromAction(action *model.PostAction) *pb.Action {
	if action == nil {
		return &pb.Action{Other: "null"}
	}
	answer := &pb.Action{
		Id:       action.Id,
		Name:     action.Name,
		Style:    action.Style,
		Type:     action.Type,
		Disabled: action.Disabled,
	}
	others := map[string]any{}
	set := func(name string, value any, is bool) {
		if is {
			others[name] = value
		}
	}
	set("tooltip", action.Tooltip, action.Tooltip != "")
	set("data_source", action.DataSource, action.DataSource != "")
	set("options", action.Options, len(action.Options) > 0)
	set("default_option", action.DefaultOption, action.DefaultOption != "")
	set("cookie", action.Cookie, action.Cookie != "")
	if integration := action.Integration; integration != nil {
		answer.Url = integration.URL
		notTexts := map[string]any{}
		for name, value := range integration.Context {
			text, isText := value.(string)
			if !isText {
				notTexts[name] = value
				continue
			}
			if answer.Context == nil {
				answer.Context = map[string]string{}
			}
			answer.Context[name] = text
		}
		set("context", notTexts, len(notTexts) > 0)
	}
	if len(others) > 0 {
		answer.Other = inJSON(others)
	}
	return answer
}

// unnamed is what a JSON object has beyond the fields of a type, where it says anything: newer servers may store fields
// that are empty.
func unnamed(raw json.RawMessage, of reflect.Type) map[string]any {
	var all map[string]any
	if json.Unmarshal(raw, &all) != nil {
		return map[string]any{}
	}
	for index := range of.NumField() {
		name, _, _ := strings.Cut(of.Field(index).Tag.Get("json"), ",")
		delete(all, name)
	}
	for name, value := range all {
		if isEmpty(value) {
			delete(all, name)
		}
	}
	return all
}

func isEmpty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	default:
		return reflect.ValueOf(value).IsZero()
	}
}
