package mattermost

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/mattermost/mattermost/server/public/plugin/plugintest"
	"github.com/stretchr/testify/mock"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/sdk"
)

// silent answers nothing to any call, and no error either, as the SDK does where the server does not know a call or the connection
// to it is broken.
func silent(t *testing.T) *plugintest.API {
	t.Helper()
	api := &plugintest.API{}
	kind := reflect.TypeOf(api)
	for index := range kind.NumMethod() {
		method := kind.Method(index)
		// The mock's own, and the log, which answers nothing anyway.
		if _, isCall := reflect.TypeFor[API]().MethodByName(method.Name); !isCall && method.Name != "GetServerVersion" {
			continue
		}
		if method.Type.IsVariadic() {
			continue
		}
		var arguments, answers []any
		for range method.Type.NumIn() - 1 {
			arguments = append(arguments, mock.Anything)
		}
		for result := range method.Type.NumOut() {
			answers = append(answers, reflect.Zero(method.Type.Out(result)).Interface())
		}
		api.On(method.Name, arguments...).Return(answers...)
	}
	return api
}

// fillMessage gives every field of a message a value; of those that exclude each other it takes the one of this number.
func fillMessage(message protoreflect.Message, choice int) {
	fields := message.Descriptor().Fields()
	for index := range fields.Len() {
		field := fields.Get(index)
		if of := field.ContainingOneof(); of != nil && !of.IsSynthetic() && of.Fields().Get(choice%of.Fields().Len()) != field {
			continue
		}
		switch {
		case field.IsMap() || field.IsList():
		case field.Kind() == protoreflect.StringKind:
			message.Set(field, protoreflect.ValueOfString("some"))
		case field.Kind() == protoreflect.BytesKind:
			message.Set(field, protoreflect.ValueOfBytes([]byte("some")))
		case field.Kind() == protoreflect.Int32Kind:
			message.Set(field, protoreflect.ValueOfInt32(1))
		case field.Kind() == protoreflect.MessageKind:
			fillMessage(message.Mutable(field).Message(), choice)
		}
	}
}

func TestAServerThatDoesNotAnswerIsNeverTakenForOneThatAnswersNothing(t *testing.T) {
	service := New(sdk.Answered(silent(t)), func() string { return botID })
	kind := reflect.TypeOf(service)
	asked := 0
	for index := range kind.NumMethod() {
		method := kind.Method(index)
		if method.Type.NumIn() != 3 || method.Name == "Log" {
			continue
		}
		for choice := range 3 {
			request := reflect.New(method.Type.In(2).Elem())
			message := reflect.New(request.Elem().FieldByName("Msg").Type().Elem())
			fillMessage(message.Interface().(proto.Message).ProtoReflect(), choice)
			request.Elem().FieldByName("Msg").Set(message)
			answers := method.Func.Call([]reflect.Value{reflect.ValueOf(service), reflect.ValueOf(context.Background()), request})
			err, _ := answers[1].Interface().(error)
			asked++
			if code := connect.CodeOf(err); err == nil || code != connect.CodeUnavailable {
				t.Errorf("%s (%v): the answer is %v, with %v", method.Name, message, answers[0], err)
			} else if !strings.Contains(err.Error(), "did not answer") {
				t.Errorf("%s says %q", method.Name, err)
			}
		}
	}
	if asked < 60 {
		t.Errorf("only %d calls were tried", asked)
	}
}
