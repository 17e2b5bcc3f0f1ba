package wire

import (
	"reflect"
	"testing"

	gogo "github.com/gogo/protobuf/proto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// standIns are Teleport's types that stand for those that are gone: their fields have the same numbers.
var standIns = map[protoreflect.FullName]protoreflect.FullName{"proto.AccessRequests": "proto.ListAccessRequestsResponse"}

// officialType is Teleport's own Go struct of a message. Most are made by gogo's generator, some by Google's.
func officialType(t *testing.T, name protoreflect.FullName) reflect.Type {
	t.Helper()
	if standIn, ok := standIns[name]; ok {
		name = standIn
	}
	if pointer := gogo.MessageType(string(name)); pointer != nil {
		return pointer.Elem()
	}
	registered, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil {
		t.Fatalf("Teleport has no type %s: %v", name, err)
	}
	return reflect.TypeOf(registered.Zero().Interface()).Elem()
}

// marshal makes the bytes as Teleport does.
func marshal(value any) ([]byte, error) {
	if message, ok := value.(proto.Message); ok {
		return proto.Marshal(message)
	}
	return gogo.Marshal(value.(gogo.Message))
}

// unmarshal reads the bytes as Teleport does.
func unmarshal(content []byte, into any) error {
	if message, ok := into.(proto.Message); ok {
		if err := proto.Unmarshal(content, message); err != nil {
			return err
		}
		message.ProtoReflect().SetUnknown(nil)
		return nil
	}
	return gogo.Unmarshal(content, into.(gogo.Message))
}

// choices are the ways to set a oneof field of the struct, by number.
func choices(owner reflect.Value, oneof reflect.Type) map[protoreflect.FieldNumber]func() {
	found := map[protoreflect.FieldNumber]func(){}
	switch message := owner.Addr().Interface().(type) {
	case proto.Message:
		fields := message.ProtoReflect().Descriptor().Fields()
		for i := range fields.Len() {
			if field := fields.Get(i); field.ContainingOneof() != nil {
				found[field.Number()] = func() { message.ProtoReflect().Set(field, message.ProtoReflect().NewField(field)) }
			}
		}
	case interface{ XXX_OneofWrappers() []any }:
		for _, wrapper := range message.XXX_OneofWrappers() {
			kind := reflect.TypeOf(wrapper)
			if kind.Implements(oneof) {
				found[number(kind.Elem().Field(0))] = func() {
					for i := range owner.NumField() {
						if owner.Type().Field(i).Type == oneof {
							owner.Field(i).Set(reflect.New(kind.Elem()))
						}
					}
				}
			}
		}
	}
	return found
}

// equal compares what two structs say, apart from the generators' own bookkeeping.
func equal(one, other reflect.Value) bool {
	for i := range one.NumField() {
		if one.Type().Field(i).IsExported() && !reflect.DeepEqual(one.Field(i).Interface(), other.Field(i).Interface()) {
			return false
		}
	}
	return true
}
