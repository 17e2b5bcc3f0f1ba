package sdk

import (
	"go/types"
	"maps"
	"slices"
	"testing"
)

// newFields are fields that the shim reads though the oldest server does not have them, each with what makes that right.
var newFields = map[string]string{
	"PostAction.Tooltip": "where there is one, its post is not as the plugin wrote it; a server without tooltips has none",
}

// fieldsOf are the fields of all structs of a package, by "Struct.Field". A struct that has been renamed goes by both names.
func fieldsOf(in *types.Package) map[string]types.Object {
	fields := map[string]types.Object{}
	for _, name := range in.Scope().Names() {
		object, is := in.Scope().Lookup(name).(*types.TypeName)
		if !is {
			continue
		}
		if of, is := types.Unalias(object.Type()).Underlying().(*types.Struct); is {
			for field := range of.Fields() {
				fields[name+"."+field.Name()] = field
			}
		}
	}
	return fields
}

func TestTheShimReadsAndWritesOnlyFieldsThatTheOldestServerHas(t *testing.T) {
	loaded, before := read(t)
	oldest := fieldsOf(named(t, before, modelPath))
	names := map[types.Object][]string{}
	for name, field := range fieldsOf(named(t, loaded, modelPath)) {
		names[field] = append(names[field], name)
	}
	used := map[string]bool{}
	for _, one := range loaded {
		if one.PkgPath == modelPath || one.PkgPath == pluginPath {
			continue
		}
		for where, object := range one.TypesInfo.Uses {
			of := names[object]
			if len(of) == 0 {
				continue
			}
			used[of[0]] = true
			isThere := slices.ContainsFunc(of, func(name string) bool { return oldest[name] != nil })
			isMeant := slices.ContainsFunc(of, func(name string) bool { return newFields[name] != "" })
			if isThere == isMeant {
				t.Errorf("%s: the oldest server has %q: %v; it stands in the table of newer fields: %v", one.Fset.Position(where.Pos()), of, isThere, isMeant)
			}
		}
	}
	t.Logf("%d fields: %q", len(used), slices.Sorted(maps.Keys(used)))
	if len(used) < 80 {
		t.Errorf("only %d fields were found", len(used))
	}
}
