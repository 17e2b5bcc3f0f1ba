// Package sdk compares what the shim asks of Mattermost with the SDK of the oldest server that the plugin runs on. The shim is
// built with a newer SDK. An older server answers a call that it does not know, or whose types it writes in another way, with
// nothing, and without an error; and a hook that it does not know is never called.
package sdk

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/go/packages"

	"github.com/teleport-access/mattermost-plugin-teleport-access/e2e/repository"
)

const (
	// pluginPath is the package of the SDK with the Plugin API and the hooks, and modelPath the one with what travels.
	pluginPath = "github.com/mattermost/mattermost/server/public/plugin"
	modelPath  = "github.com/mattermost/mattermost/server/public/model"
	// oldestModule is the module that has the oldest server's SDK.
	oldestModule = "e2e/mattermost-9.9-server"
)

// ours are the shim's packages with the SDK that it is built with, and theirs the oldest server's SDK. They are read once.
var (
	ours   = sync.OnceValues(func() ([]*packages.Package, error) { return load("server-shim", "./...", pluginPath, modelPath) })
	theirs = sync.OnceValues(func() ([]*packages.Package, error) { return load(oldestModule, pluginPath, modelPath) })
)

// read are both, or the test ends.
func read(t *testing.T) (shim, oldest []*packages.Package) {
	t.Helper()
	shim, err := ours()
	if err == nil {
		oldest, err = theirs()
	}
	if err != nil {
		t.Fatal(err)
	}
	return shim, oldest
}

// load reads packages with their types.
func load(folder string, patterns ...string) ([]*packages.Package, error) {
	root, err := repository.Root()
	if err != nil {
		return nil, err
	}
	const mode = packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo |
		packages.NeedImports | packages.NeedDeps
	loaded, err := packages.Load(&packages.Config{Mode: mode, Dir: filepath.Join(root, folder)}, patterns...)
	for _, one := range loaded {
		for _, problem := range one.Errors {
			err = errors.Join(err, fmt.Errorf("%s: %w", one.PkgPath, problem))
		}
	}
	return loaded, err
}

// named is the package of a path among those that were loaded.
func named(t *testing.T, in []*packages.Package, path string) *types.Package {
	t.Helper()
	index := slices.IndexFunc(in, func(one *packages.Package) bool { return one.PkgPath == path })
	if index < 0 {
		t.Fatalf("%s was not loaded", path)
	}
	return in[index].Types
}

// sdk are the Plugin API and the hooks of a version.
type sdk struct{ api, hooks map[string]*types.Signature }

func sdkOf(t *testing.T, in []*packages.Package) sdk {
	t.Helper()
	scope := named(t, in, pluginPath).Scope()
	methods := func(name string) map[string]*types.Signature {
		of := map[string]*types.Signature{}
		for method := range scope.Lookup(name).Type().Underlying().(*types.Interface).Methods() {
			of[method.Name()] = method.Signature()
		}
		return of
	}
	return sdk{api: methods("API"), hooks: methods("Hooks")}
}

// shim is what the shim asks of Mattermost.
type shim struct {
	calls, hooks map[string]token.Position
	// guarded are the calls whose empty answer is told from none, and newer the names in the table of calls that the
	// oldest server lacks.
	guarded, newer map[string]bool
}

func shimOf(in []*packages.Package, newest sdk) shim {
	found := shim{map[string]token.Position{}, map[string]token.Position{}, map[string]bool{}, map[string]bool{}}
	for _, one := range in {
		if one.PkgPath == pluginPath || one.PkgPath == modelPath {
			continue
		}
		found.lookAtUses(one)
		found.lookAtNames(one, newest)
	}
	return found
}

// lookAtUses finds the calls of the Plugin API, also by way of interfaces that are a part of it.
func (s *shim) lookAtUses(in *packages.Package) {
	// What is guarded there is used elsewhere, or not at all.
	if in.Name == "sdk" {
		return
	}
	for selector, selection := range in.TypesInfo.Selections {
		method, is := selection.Obj().(*types.Func)
		if is && method.Pkg() != nil && method.Pkg().Path() == pluginPath && types.IsInterface(selection.Recv()) {
			s.calls[method.Name()] = in.Fset.Position(selector.Pos())
		}
	}
}

// lookAtNames finds the interfaces that are a part of the Plugin API, the hooks, what package sdk guards, and its table.
func (s *shim) lookAtNames(in *packages.Package, newest sdk) {
	scope := in.Types.Scope()
	for _, name := range scope.Names() {
		object, is := scope.Lookup(name).(*types.TypeName)
		if !is {
			continue
		}
		if asked, is := object.Type().Underlying().(*types.Interface); is && isPartOf(asked, newest.api) {
			for method := range asked.Methods() {
				s.calls[method.Name()] = in.Fset.Position(method.Pos())
			}
		}
		for method := range types.NewMethodSet(types.NewPointer(object.Type())).Methods() {
			declared := in.Fset.Position(method.Obj().Pos())
			isHere := method.Obj().Pkg() == in.Types && len(method.Index()) == 1
			if _, is := newest.hooks[method.Obj().Name()]; is && isHere && in.Name == "hooks" {
				s.hooks[method.Obj().Name()] = declared
			}
			if in.Name == "sdk" && name == "answered" && isHere {
				s.guarded[method.Obj().Name()] = true
			}
		}
	}
	if in.Name == "sdk" {
		s.lookAtTable(in)
	}
}

// lookAtTable reads the names in the table of newer calls.
func (s *shim) lookAtTable(in *packages.Package) {
	for _, file := range in.Syntax {
		ast.Inspect(file, func(node ast.Node) bool {
			table, is := node.(*ast.ValueSpec)
			if !is || table.Names[0].Name != "newer" {
				return true
			}
			ast.Inspect(table, func(node ast.Node) bool {
				if text, is := node.(*ast.BasicLit); is && text.Kind == token.STRING {
					name, _ := strconv.Unquote(text.Value)
					s.newer[name] = true
				}
				return true
			})
			return false
		})
	}
}

// isPartOf tells whether all of an interface's methods, of which there are some, are among these.
func isPartOf(asked *types.Interface, of map[string]*types.Signature) bool {
	for method := range asked.Methods() {
		if of[method.Name()] == nil || !types.AssignableTo(of[method.Name()], method.Signature()) && signature(of[method.Name()]) != signature(method.Signature()) {
			return false
		}
	}
	return asked.NumMethods() > 0
}

// signature is what a method takes and answers, in words that are the same for every version.
func signature(of *types.Signature) string {
	tuple := func(of *types.Tuple) string {
		var all []string
		for variable := range of.Variables() {
			all = append(all, types.TypeString(variable.Type(), nil))
		}
		return strings.Join(all, ", ")
	}
	return "(" + tuple(of.Params()) + ") (" + tuple(of.Results()) + ")"
}

func TestTheShimAsksOnlyWhatTheOldestServerKnows(t *testing.T) {
	loaded, before := read(t)
	newest, oldest := sdkOf(t, loaded), sdkOf(t, before)
	found := shimOf(loaded, newest)
	if len(found.calls) < 30 || len(found.hooks) < 8 {
		t.Fatalf("the shim asks for %d calls and implements %d hooks: some were not found", len(found.calls), len(found.hooks))
	}
	t.Logf("%d calls: %q", len(found.calls), slices.Sorted(maps.Keys(found.calls)))
	t.Logf("%d hooks: %q", len(found.hooks), slices.Sorted(maps.Keys(found.hooks)))
	for _, part := range []struct {
		what             string
		used             map[string]token.Position
		newest, theirOld map[string]*types.Signature
	}{{"call", found.calls, newest.api, oldest.api}, {"hook", found.hooks, newest.hooks, oldest.hooks}} {
		for name, where := range part.used {
			now, then := part.newest[name], part.theirOld[name]
			switch {
			case then == nil && !found.newer[name]:
				t.Errorf("%s: the %s %s is newer than the oldest server: enter it in the table of server-shim/sdk, or do without it", where, part.what, name)
			case then != nil && found.newer[name]:
				t.Errorf("the %s %s stands in the table of newer ones, and the oldest server knows it", part.what, name)
			case then != nil:
				for _, difference := range differences(now, then) {
					t.Errorf("%s: the %s %s: %s", where, part.what, name, difference)
				}
			}
		}
	}
	for name := range found.newer {
		if newest.api[name] != nil && found.calls[name].Filename == "" || newest.hooks[name] != nil && found.hooks[name].Filename == "" {
			t.Errorf("the table of newer calls has %s, which is not used", name)
		}
	}
}

// plain are calls that answer nothing, or whose empty answer shows by itself that there was none. The one about permissions answers
// with no error at all; the shim asks it a second time.
var plain = []string{"LogDebug", "LogInfo", "LogWarn", "LogError", "GetServerVersion", "GetBundlePath", "RolesGrantPermission"}

func TestNoAnswerIsToldFromAnEmptyOneWhereverThatIsPossible(t *testing.T) {
	loaded, _ := read(t)
	newest := sdkOf(t, loaded)
	found := shimOf(loaded, newest)
	for name, where := range found.calls {
		first := newest.api[name].Results()
		shows := false
		if first.Len() > 0 {
			pointer, is := first.At(0).Type().(*types.Pointer)
			// A nil in its place is no answer, except where it is the error.
			shows = is && !strings.HasSuffix(types.TypeString(pointer, nil), "model.AppError")
		}
		if !shows && !found.guarded[name] && !slices.Contains(plain, name) {
			t.Errorf("%s: %s%s reads as an empty answer where there is none: guard it in server-shim/sdk", where, name, signature(newest.api[name]))
		}
	}
	for name := range found.guarded {
		if newest.api[name] != nil && found.calls[name].Filename == "" {
			t.Errorf("server-shim/sdk guards %s, which is not used", name)
		}
	}
}
