package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	gogo "github.com/gogo/protobuf/proto"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/repository"
)

// values is how many values of each message go to the core and back.
const values = 60

// coreEcho is the core's decoder and encoder, in a process of its own.
type coreEcho struct {
	in  io.Writer
	out *bufio.Reader
}

// startCore runs the core's example wire_echo: the program that the environment's WIRE_ECHO names, or what cargo builds.
func startCore(t *testing.T) *coreEcho {
	t.Helper()
	root, err := repository.Root()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("cargo", "run", "--quiet", "--locked", "--package", "teleport-access-core", "--example", "wire_echo")
	if path := os.Getenv("WIRE_ECHO"); path != "" {
		command = exec.Command(path)
	} else {
		fmt.Println("    progress: building the core's wire_echo")
	}
	command.Dir, command.Stderr = root, os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := command.Wait(); err != nil {
			t.Errorf("the core's wire_echo failed: %v", err)
		}
	})
	return &coreEcho{in, bufio.NewReaderSize(out, 1<<20)}
}

func (e *coreEcho) echo(name string, content []byte) ([]byte, error) {
	if _, err := fmt.Fprintf(e.in, "%s %x\n", name, content); err != nil {
		return nil, err
	}
	line, err := e.out.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimSuffix(line, "\n")
	if strings.HasPrefix(line, "error: ") {
		return nil, fmt.Errorf("the core: %s", line)
	}
	return hex.DecodeString(line)
}

func TestTheCoreReadsAndWritesWhatTeleportsOwnTypesDo(t *testing.T) {
	core := startCore(t)
	for _, message := range messages(t) {
		t.Run(string(message.FullName()), func(t *testing.T) {
			official := officialType(t, message.FullName())
			for _, all := range []bool{false, true} {
				fill := &filler{chance: rand.New(rand.NewPCG(1, 2)), all: all}
				for i := range values {
					made := reflect.New(official)
					// The first is empty: nothing at all must come back as nothing at all.
					if i > 0 {
						fill.message(made.Elem(), message, 0)
					}
					compareBytes(t, core, message, made)
					if t.Failed() {
						t.Fatalf("value %d (all fields: %v) was the first to differ", i, all)
					}
				}
			}
		})
	}
}

func compareBytes(t *testing.T, core *coreEcho, message protoreflect.MessageDescriptor, value reflect.Value) {
	t.Helper()
	content, err := marshal(value.Interface())
	if err != nil {
		t.Fatal(err)
	}
	echoed, err := core.echo(string(message.FullName()), content)
	if err != nil {
		t.Fatal(err)
	}
	read := func(from []byte) reflect.Value {
		into := reflect.New(value.Type().Elem())
		if err := unmarshal(from, into.Interface()); err != nil {
			t.Fatal(err)
		}
		trim(into.Elem(), message)
		return into
	}
	sent, came := read(content), read(echoed)
	if !equal(sent.Elem(), came.Elem()) {
		t.Errorf("sent %+v\ncame %+v", sent.Interface(), came.Interface())
	}
}

func TestFilledValuesReachEveryFieldOfTheContract(t *testing.T) {
	// Guards the test above: fields that are never filled would never be compared.
	for _, message := range messages(t) {
		official := officialType(t, message.FullName())
		seen := map[protoreflect.FieldNumber]bool{}
		fill := &filler{chance: rand.New(rand.NewPCG(1, 2))}
		for range values {
			made := reflect.New(official)
			fill.message(made.Elem(), message, 0)
			for i := range made.Elem().NumField() {
				field := made.Elem().Type().Field(i)
				switch {
				case made.Elem().Field(i).IsZero():
				case field.Tag.Get("protobuf_oneof") != "":
					seen[number(made.Elem().Field(i).Elem().Elem().Type().Field(0))] = true
				default:
					seen[number(field)] = true
				}
			}
		}
		for i := range message.Fields().Len() {
			field := message.Fields().Get(i)
			if _, isNewer := newer[field.FullName()]; !isNewer && !seen[field.Number()] {
				t.Errorf("%s is never filled", field.FullName())
			}
		}
	}
}

func TestTheCoreKeepsFieldsThatTeleportsOwnTypesDoNotKnowYet(t *testing.T) {
	core := startCore(t)
	onBehalf := protowire.AppendString(protowire.AppendTag(nil, 11, protowire.BytesType), "access-plugin")
	onBehalf = protowire.AppendVarint(protowire.AppendTag(onBehalf, 12, protowire.VarintType), 1)
	everybody := protowire.AppendString(protowire.AppendTag(nil, 5, protowire.BytesType), "*")
	kindAndRestricted := varintField(24, 2)
	kindAndRestricted = append(kindAndRestricted, restricted("n1", messageField(11, stringField(1, "root")))...)
	noSystem := protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), 1)
	for _, one := range []struct {
		name  string
		value gogo.Message
		want  []byte
	}{
		{"types.AccessReview", &types.AccessReview{Author: "rita", XXX_unrecognized: onBehalf}, onBehalf},
		{"types.AccessReviewConditions", &types.AccessReviewConditions{Roles: []string{"dba"}, XXX_unrecognized: everybody}, everybody},
		{"types.AccessRequestSpecV3", &types.AccessRequestSpecV3{User: "alice", XXX_unrecognized: kindAndRestricted}, kindAndRestricted},
		{"types.UserFilter", &types.UserFilter{SearchKeywords: []string{"rita"}, XXX_unrecognized: noSystem}, noSystem},
	} {
		sent, err := marshal(one.value)
		if err != nil {
			t.Fatal(err)
		}
		// A value of Teleport's own types that is read again has these fields among the unknown ones.
		echoed, err := core.echo(one.name, sent)
		if err != nil {
			t.Fatal(err)
		}
		into := reflect.New(reflect.TypeOf(one.value).Elem())
		if err := unmarshal(echoed, into.Interface()); err != nil {
			t.Fatal(err)
		}
		if got := into.Elem().FieldByName("XXX_unrecognized").Bytes(); !bytes.Equal(got, one.want) {
			t.Errorf("%s: the newer fields came back as %x, want %x", one.name, got, one.want)
		}
	}
}
