// Package wire compares the project's trimmed contract of Teleport's auth service with Teleport's own: the descriptors,
// and the bytes that both make of the same values.
package wire

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	gogo "github.com/gogo/protobuf/proto"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	// Registers Teleport's own descriptors.
	_ "github.com/gravitational/teleport/api/client/proto"
	_ "github.com/gravitational/teleport/api/gen/proto/go/teleport/users/v1"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/repository"
)

// onlyOurs is what the contract has for servers before Teleport 13, and Teleport's newest types do not have any more.
var onlyOurs = map[protoreflect.FullName]string{
	"proto.AccessRequests":                "the answer of GetAccessRequests, gone since Teleport 13",
	"proto.AuthService.GetAccessRequests": "the unpaged listing, all that servers before Teleport 4.4 have; gone since Teleport 13",
}

// newer is what the contract has for servers that are newer than the module at hand. Each with the reason why it is
// believed all the same, and what happens where the number should be another one after all.
var newer = map[protoreflect.FullName]string{
	"types.AccessReview.submitted_by":                         "reviews on behalf of others, since Teleport 18.11; only shown",
	"types.AccessReview.submitted_on_behalf_of_author":        "reviews on behalf of others, since Teleport 18.11; a server that does not know it refuses the foreign author",
	"types.AccessReviewConditions.submit_for_users":           "reviews on behalf of others, since Teleport 18.11; only looked at to tell an admin what a role lacks",
	"types.AccessRequestSpecV3.request_kind":                  "requests for lasting access, since Teleport 18.2; kinds that are not known are never approved",
	"types.AccessRequestSpecV3.requested_resource_access_ids": restrictions,
	"types.ResourceAccessID":                                  restrictions,
	"types.ResourceConstraints":                               restrictions,
	"types.AWSConsoleResourceConstraints":                     restrictions,
	"types.SSHResourceConstraints":                            restrictions,
	"types.WindowsDesktopResourceConstraints":                 restrictions,
	"types.AccessRequestKind":                                 "the values of request_kind",
	"types.UserFilter.skip_system_users":                      "a listing without bots; never sent, as every user is looked at",
}

// restrictions is why the constraints of resources are believed.
const restrictions = "what the access to resources is restricted to, in 18; what is not known there keeps a request from being approved"

// ours compiles the contract.
func ours(t *testing.T) []protoreflect.FileDescriptor {
	t.Helper()
	root, err := repository.Root()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(root, "proto", "teleport")
	paths, err := filepath.Glob(filepath.Join(folder, "*.proto"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("found no contract in %s: %v", folder, err)
	}
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = filepath.Base(path)
	}
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{folder}})}
	files, err := compiler.Compile(context.Background(), names...)
	if err != nil {
		t.Fatal(err)
	}
	descriptors := make([]protoreflect.FileDescriptor, len(files))
	for i, file := range files {
		descriptors[i] = file
	}
	return descriptors
}

// messages are all messages of the contract that Teleport's module has, too, without the entries of maps.
func messages(t *testing.T) []protoreflect.MessageDescriptor {
	t.Helper()
	var found []protoreflect.MessageDescriptor
	for _, file := range ours(t) {
		for i := range file.Messages().Len() {
			message := file.Messages().Get(i)
			if _, isNewer := newer[message.FullName()]; !isNewer {
				found = append(found, message)
			}
		}
	}
	return found
}

// official is what Teleport's own module says, by full name.
type official struct {
	messages map[string]*descriptorpb.DescriptorProto
	enums    map[string]*descriptorpb.EnumDescriptorProto
	methods  map[string]*descriptorpb.MethodDescriptorProto
}

func readOfficial(t *testing.T) *official {
	t.Helper()
	o := &official{map[string]*descriptorpb.DescriptorProto{}, map[string]*descriptorpb.EnumDescriptorProto{}, map[string]*descriptorpb.MethodDescriptorProto{}}
	for _, name := range []string{
		"teleport/legacy/client/proto/authservice.proto", "teleport/legacy/client/proto/event.proto",
		"teleport/legacy/types/types.proto", "teleport/legacy/types/wrappers/wrappers.proto", "teleport/users/v1/users_service.proto",
	} {
		file, err := officialFile(name)
		if err != nil {
			t.Fatalf("Teleport's module has no %s: %v", name, err)
		}
		for _, message := range file.MessageType {
			o.addMessage(file.GetPackage(), message)
		}
		for _, enum := range file.EnumType {
			o.enums[file.GetPackage()+"."+enum.GetName()] = enum
		}
		for _, service := range file.Service {
			for _, method := range service.Method {
				o.methods[file.GetPackage()+"."+service.GetName()+"."+method.GetName()] = method
			}
		}
	}
	return o
}

// officialFile finds a file's descriptor among those of gogo's generator, else among those of Google's.
func officialFile(name string) (*descriptorpb.FileDescriptorProto, error) {
	compressed := gogo.FileDescriptor(name)
	if compressed == nil {
		registered, err := protoregistry.GlobalFiles.FindFileByPath(name)
		if err != nil {
			return nil, err
		}
		return protodesc.ToFileDescriptorProto(registered), nil
	}
	packed, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(packed)
	if err != nil {
		return nil, err
	}
	file := &descriptorpb.FileDescriptorProto{}
	return file, proto.Unmarshal(content, file)
}

func (o *official) addMessage(scope string, message *descriptorpb.DescriptorProto) {
	name := scope + "." + message.GetName()
	o.messages[name] = message
	for _, nested := range message.NestedType {
		o.addMessage(name, nested)
	}
	for _, enum := range message.EnumType {
		o.enums[name+"."+enum.GetName()] = enum
	}
}

// same compares names as different styles write them.
func same(one, other string) bool {
	plain := func(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }
	return plain(one) == plain(other)
}

func TestEveryMessageAndFieldOfTheContractIsTeleports(t *testing.T) {
	theirs := readOfficial(t)
	for _, message := range messages(t) {
		if reason, known := onlyOurs[message.FullName()]; known {
			if theirs.messages[string(message.FullName())] != nil {
				t.Errorf("%s is there after all: it is listed as %s", message.FullName(), reason)
			}
			continue
		}
		compareMessage(t, message, theirs)
	}
}

func TestNoNewerMessageIsInTeleportsModuleByNow(t *testing.T) {
	theirs := readOfficial(t)
	for name, reason := range newer {
		if theirs.messages[string(name)] != nil {
			t.Errorf("%s is in Teleport's module by now: it is listed as newer (%s)", name, reason)
		}
	}
}

func compareMessage(t *testing.T, message protoreflect.MessageDescriptor, theirs *official) {
	t.Helper()
	their := theirs.messages[string(message.FullName())]
	if their == nil {
		t.Errorf("Teleport has no message %s", message.FullName())
		return
	}
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		var match *descriptorpb.FieldDescriptorProto
		for _, candidate := range their.Field {
			if candidate.GetNumber() == int32(field.Number()) {
				match = candidate
			}
		}
		reason, isNewer := newer[field.FullName()]
		switch {
		case isNewer:
			// By name too, as a number that is not there may have been given to something else.
			known := slices.ContainsFunc(their.Field, func(candidate *descriptorpb.FieldDescriptorProto) bool {
				return same(string(field.Name()), candidate.GetName())
			})
			if match != nil || known {
				t.Errorf("%s: Teleport's module has the field or its number by now: it is listed as newer (%s)", field.FullName(), reason)
			}
		case match == nil:
			t.Errorf("%s: Teleport has no field %d", field.FullName(), field.Number())
		case !same(string(field.Name()), match.GetName()):
			t.Errorf("%s: Teleport's field %d is %s", field.FullName(), field.Number(), match.GetName())
		case int32(field.Kind()) != int32(match.GetType()):
			t.Errorf("%s: Teleport's type is %s, ours %s", field.FullName(), match.GetType(), field.Kind())
		case (field.Cardinality() == protoreflect.Repeated) != (match.GetLabel() == descriptorpb.FieldDescriptorProto_LABEL_REPEATED):
			t.Errorf("%s: Teleport's label is %s", field.FullName(), match.GetLabel())
		case (field.ContainingOneof() != nil) != (match.OneofIndex != nil):
			t.Errorf("%s: is in a oneof on one side only", field.FullName())
		case field.Message() != nil && field.IsMap():
			compareEntry(t, field, strings.TrimPrefix(match.GetTypeName(), "."), theirs)
		case field.Message() != nil && "."+string(field.Message().FullName()) != match.GetTypeName():
			t.Errorf("%s: Teleport's message is %s", field.FullName(), match.GetTypeName())
		case field.Enum() != nil && "."+string(field.Enum().FullName()) != match.GetTypeName():
			t.Errorf("%s: Teleport's enum is %s", field.FullName(), match.GetTypeName())
		}
	}
}

func compareEntry(t *testing.T, field protoreflect.FieldDescriptor, entry string, theirs *official) {
	t.Helper()
	their := theirs.messages[entry]
	if their == nil || !their.GetOptions().GetMapEntry() || len(their.Field) != 2 {
		t.Errorf("%s: Teleport has no map there", field.FullName())
		return
	}
	for i, side := range []protoreflect.FieldDescriptor{field.MapKey(), field.MapValue()} {
		match := their.Field[i]
		if int32(side.Kind()) != int32(match.GetType()) || (side.Message() != nil && "."+string(side.Message().FullName()) != match.GetTypeName()) {
			t.Errorf("%s: Teleport's map has %s %s", side.FullName(), match.GetType(), match.GetTypeName())
		}
	}
}

func TestEveryEnumOfTheContractIsTeleports(t *testing.T) {
	theirs := readOfficial(t)
	compared := 0
	for _, file := range ours(t) {
		for i := range file.Enums().Len() {
			enum := file.Enums().Get(i)
			their := theirs.enums[string(enum.FullName())]
			if reason, isNewer := newer[enum.FullName()]; isNewer {
				if their != nil {
					t.Errorf("%s is in Teleport's module by now: it is listed as newer (%s)", enum.FullName(), reason)
				}
				continue
			}
			if their == nil {
				t.Errorf("Teleport has no enum %s", enum.FullName())
				continue
			}
			numbers := map[string]int32{}
			for _, value := range their.Value {
				numbers[value.GetName()] = value.GetNumber()
			}
			if len(numbers) != enum.Values().Len() {
				t.Errorf("%s has %d values, Teleport's %d", enum.FullName(), enum.Values().Len(), len(numbers))
			}
			for j := range enum.Values().Len() {
				value := enum.Values().Get(j)
				if number, ok := numbers[string(value.Name())]; !ok || number != int32(value.Number()) {
					t.Errorf("%s = %d: Teleport's number is %d (there: %v)", value.FullName(), value.Number(), number, ok)
				}
			}
			compared++
		}
	}
	if compared < 3 {
		t.Errorf("compared %d enums, want at least the request's state, the operation and the order of a listing", compared)
	}
}

func TestEveryMethodOfTheContractIsTeleports(t *testing.T) {
	theirs := readOfficial(t)
	compared := 0
	for _, file := range ours(t) {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				method := service.Methods().Get(j)
				their := theirs.methods[string(method.FullName())]
				if reason, known := onlyOurs[method.FullName()]; known {
					if their != nil {
						t.Errorf("%s is there after all: it is listed as %s", method.FullName(), reason)
					}
					continue
				}
				if their == nil {
					t.Errorf("Teleport has no method %s", method.FullName())
					continue
				}
				if "."+string(method.Input().FullName()) != their.GetInputType() || "."+string(method.Output().FullName()) != their.GetOutputType() {
					t.Errorf("%s: Teleport's is (%s) returns (%s)", method.FullName(), their.GetInputType(), their.GetOutputType())
				}
				if method.IsStreamingClient() != their.GetClientStreaming() || method.IsStreamingServer() != their.GetServerStreaming() {
					t.Errorf("%s: Teleport's streams otherwise", method.FullName())
				}
				compared++
			}
		}
	}
	if compared < 11 {
		t.Errorf("compared %d methods, want at least eleven", compared)
	}
}

func TestEveryNewerFieldIsStillInTheContract(t *testing.T) {
	files := ours(t)
	for name, reason := range newer {
		found := slices.ContainsFunc(files, func(file protoreflect.FileDescriptor) bool {
			parent := file.Messages().ByName(name.Parent().Name())
			return file.Enums().ByName(name.Name()) != nil || file.Messages().ByName(name.Name()) != nil || (parent != nil && parent.Fields().ByName(name.Name()) != nil)
		})
		if !found {
			t.Errorf("the contract has no %s any more, which is listed as newer (%s)", name, reason)
		}
	}
}
