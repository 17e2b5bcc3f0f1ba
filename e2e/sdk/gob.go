package sdk

import (
	"fmt"
	"go/types"
	"slices"
)

// What follows compares types as Go's encoding/gob sees them, which is how calls and hooks travel: structs by the names of
// their exported fields, numbers by their kind, whatever their size. A field that only one side has is left out; one that both
// have in different forms makes the whole call fail.

// differences are where what a method takes and answers would not be understood by the other side.
func differences(now, then *types.Signature) []string {
	c := comparison{seen: map[[2]types.Type]bool{}}
	for _, part := range []struct {
		what      string
		now, then *types.Tuple
	}{{"argument", now.Params(), then.Params()}, {"result", now.Results(), then.Results()}} {
		if part.now.Len() != part.then.Len() {
			c.found = append(c.found, fmt.Sprintf("it has %d %ss, and had %d", part.now.Len(), part.what, part.then.Len()))
			continue
		}
		for index := range part.now.Len() {
			c.compare(fmt.Sprintf("%s %d", part.what, index+1), part.now.At(index).Type(), part.then.At(index).Type())
		}
	}
	slices.Sort(c.found)
	return slices.Compact(c.found)
}

type comparison struct {
	seen  map[[2]types.Type]bool
	found []string
}

func (c *comparison) compare(path string, now, then types.Type) {
	now, then = target(now), target(then)
	if c.seen[[2]types.Type{now, then}] {
		return
	}
	c.seen[[2]types.Type{now, then}] = true
	if form(now) != form(then) {
		c.found = append(c.found, fmt.Sprintf("%s is %s (%s), and was %s (%s)", path, now, form(now), then, form(then)))
		return
	}
	// Who encodes themselves is not looked into.
	if encodesItself(now) {
		return
	}
	switch now := now.Underlying().(type) {
	case *types.Slice:
		c.compare(path+"[]", now.Elem(), then.Underlying().(*types.Slice).Elem())
	case *types.Array:
		c.compare(path+"[]", now.Elem(), then.Underlying().(*types.Array).Elem())
	case *types.Map:
		then := then.Underlying().(*types.Map)
		c.compare(path+"{key}", now.Key(), then.Key())
		c.compare(path+"{}", now.Elem(), then.Elem())
	case *types.Struct:
		fields := map[string]types.Type{}
		for field := range then.Underlying().(*types.Struct).Fields() {
			fields[field.Name()] = field.Type()
		}
		for field := range now.Fields() {
			if earlier := fields[field.Name()]; field.Exported() && earlier != nil {
				c.compare(path+"."+field.Name(), field.Type(), earlier)
			}
		}
	}
}

// target is what is left of a type without aliases and pointers, which gob does not tell apart.
func target(of types.Type) types.Type {
	for {
		pointer, is := types.Unalias(of).(*types.Pointer)
		if !is {
			return types.Unalias(of)
		}
		of = pointer.Elem()
	}
}

// form is a type as gob tells types apart.
func form(of types.Type) string {
	if encodesItself(of) {
		return "itself"
	}
	switch of := of.Underlying().(type) {
	case *types.Basic:
		switch info := of.Info(); {
		case info&types.IsUnsigned != 0:
			return "uint"
		case info&types.IsInteger != 0:
			return "int"
		case info&types.IsFloat != 0:
			return "float"
		default:
			return of.Name()
		}
	case *types.Slice:
		if element, is := of.Elem().Underlying().(*types.Basic); is && element.Kind() == types.Byte {
			return "bytes"
		}
		return "slice"
	case *types.Array:
		return fmt.Sprintf("array of %d", of.Len())
	case *types.Map:
		return "map"
	case *types.Struct:
		return "struct"
	case *types.Interface:
		return "interface"
	default:
		return "left out"
	}
}

// encodesItself tells whether a type has its own form on the way, as times have.
func encodesItself(of types.Type) bool {
	methods := types.NewMethodSet(types.NewPointer(of))
	return slices.ContainsFunc([]string{"GobEncode", "MarshalBinary"}, func(name string) bool { return methods.Lookup(nil, name) != nil })
}
