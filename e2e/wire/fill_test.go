package wire

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// deepest is how far messages within messages are filled.
const deepest = 8

// filler fills Teleport's own Go values by chance. Values are never zero, so that a lost field is always seen.
type filler struct {
	chance *rand.Rand
	// all fills every field that it can; else only those that the contract has.
	all bool
}

var timeType = reflect.TypeFor[time.Time]()

// number is a field's number; 0 for what is no field.
func number(field reflect.StructField) protoreflect.FieldNumber {
	parts := strings.Split(field.Tag.Get("protobuf"), ",")
	if len(parts) < 2 {
		return 0
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		return 0
	}
	return protoreflect.FieldNumber(n)
}

// known answers the contract's field of a number; nil where the contract has none.
func known(message protoreflect.MessageDescriptor, n protoreflect.FieldNumber) protoreflect.FieldDescriptor {
	if message == nil {
		return nil
	}
	return message.Fields().ByNumber(n)
}

// within is the contract's message of a field; nil where it is no message, or the contract does not have it.
func within(field protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	switch {
	case field == nil:
		return nil
	case field.IsMap():
		return field.MapValue().Message()
	default:
		return field.Message()
	}
}

// message fills a struct that is a message.
func (f *filler) message(value reflect.Value, contract protoreflect.MessageDescriptor, depth int) {
	if depth > deepest {
		return
	}
	for i := range value.NumField() {
		field := value.Type().Field(i)
		if !field.IsExported() || strings.HasPrefix(field.Name, "XXX_") {
			continue
		}
		if field.Tag.Get("protobuf_oneof") != "" {
			f.oneof(value, value.Field(i), contract, depth)
			continue
		}
		n := number(field)
		ours := known(contract, n)
		if n == 0 || (ours == nil && !f.all) {
			continue
		}
		f.value(value.Field(i), within(ours), depth)
	}
}

// oneof fills one of the choices.
func (f *filler) oneof(owner, into reflect.Value, contract protoreflect.MessageDescriptor, depth int) {
	all := choices(owner, into.Type())
	var numbers []protoreflect.FieldNumber
	for n := range all {
		if f.all || known(contract, n) != nil {
			numbers = append(numbers, n)
		}
	}
	if len(numbers) == 0 {
		return
	}
	// Maps have no order, but a seed must always give the same.
	slices.Sort(numbers)
	chosen := numbers[f.chance.IntN(len(numbers))]
	all[chosen]()
	f.value(into.Elem().Elem().Field(0), within(known(contract, chosen)), depth)
}

// value fills a field's value. Kinds that only Teleport's own code can make are left as they are.
func (f *filler) value(value reflect.Value, contract protoreflect.MessageDescriptor, depth int) {
	if value.Type() == timeType {
		value.Set(reflect.ValueOf(time.Unix(f.chance.Int64N(4_000_000_000), f.chance.Int64N(1_000_000_000)).UTC()))
		return
	}
	switch value.Kind() {
	case reflect.String:
		value.SetString(f.text())
	case reflect.Bool:
		value.SetBool(true)
	case reflect.Int32:
		// Enums too: some of the values are such that nobody knows.
		value.SetInt(1 + f.chance.Int64N(9))
	case reflect.Int64:
		value.SetInt(1 + f.chance.Int64N(1<<60))
	case reflect.Uint32, reflect.Uint64:
		value.SetUint(1 + f.chance.Uint64N(1<<31))
	case reflect.Float32, reflect.Float64:
		value.SetFloat(1 + f.chance.Float64())
	case reflect.Pointer:
		fresh := reflect.New(value.Type().Elem())
		if fresh.Elem().Kind() == reflect.Struct && fresh.Elem().Type() != timeType && !isMessage(fresh.Type()) {
			return
		}
		f.value(fresh.Elem(), contract, depth+1)
		value.Set(fresh)
	case reflect.Struct:
		if isMessage(value.Addr().Type()) {
			f.message(value, contract, depth+1)
		}
	case reflect.Slice:
		if value.Type().Elem().Kind() == reflect.Uint8 {
			value.SetBytes([]byte(f.text()))
			return
		}
		if depth >= deepest {
			return
		}
		for range 1 + f.chance.IntN(3) {
			element := reflect.New(value.Type().Elem()).Elem()
			f.value(element, contract, depth)
			if element.Kind() == reflect.Pointer && element.IsNil() {
				return
			}
			value.Set(reflect.Append(value, element))
		}
	case reflect.Map:
		made := reflect.MakeMap(value.Type())
		for range 1 + f.chance.IntN(3) {
			key, content := reflect.New(value.Type().Key()).Elem(), reflect.New(value.Type().Elem()).Elem()
			f.value(key, nil, depth)
			f.value(content, contract, depth)
			if content.Kind() == reflect.Pointer && content.IsNil() {
				return
			}
			made.SetMapIndex(key, content)
		}
		value.Set(made)
	}
}

func (f *filler) text() string {
	return fmt.Sprintf("%s-%d-ü✓", []string{"dba", "alice", "prod", "because"}[f.chance.IntN(4)], f.chance.IntN(1_000_000))
}

func isMessage(pointer reflect.Type) bool {
	_, ok := reflect.New(pointer.Elem()).Interface().(interface{ ProtoMessage() })
	return ok
}

// trim empties every field that the contract does not have, and makes empty lists and maps nil, as the wire does not tell
// them apart.
func trim(value reflect.Value, contract protoreflect.MessageDescriptor) {
	for i := range value.NumField() {
		field := value.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		if strings.HasPrefix(field.Name, "XXX_") {
			value.Field(i).SetZero()
			continue
		}
		if field.Tag.Get("protobuf_oneof") != "" {
			trimOneof(value.Field(i), contract)
			continue
		}
		ours := known(contract, number(field))
		if ours == nil {
			value.Field(i).SetZero()
			continue
		}
		trimValue(value.Field(i), within(ours))
	}
}

func trimOneof(chosen reflect.Value, contract protoreflect.MessageDescriptor) {
	if chosen.IsNil() {
		return
	}
	wrapper := chosen.Elem().Elem()
	ours := known(contract, number(wrapper.Type().Field(0)))
	if ours == nil {
		chosen.SetZero()
		return
	}
	trimValue(wrapper.Field(0), within(ours))
}

func trimValue(value reflect.Value, contract protoreflect.MessageDescriptor) {
	switch value.Kind() {
	case reflect.Pointer:
		if !value.IsNil() && value.Elem().Kind() == reflect.Struct && value.Elem().Type() != timeType {
			trim(value.Elem(), contract)
		}
	case reflect.Struct:
		if value.Type() != timeType {
			trim(value, contract)
		}
	case reflect.Slice:
		if value.Len() == 0 {
			value.SetZero()
		}
		for i := range value.Len() {
			trimValue(value.Index(i), contract)
		}
	case reflect.Map:
		if value.Len() == 0 {
			value.SetZero()
			return
		}
		for _, key := range value.MapKeys() {
			content := reflect.New(value.Type().Elem()).Elem()
			content.Set(value.MapIndex(key))
			trimValue(content, contract)
			value.SetMapIndex(key, content)
		}
	}
}
