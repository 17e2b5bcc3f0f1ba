package sdk

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"strings"
	"testing"
)

// method is the method of the interface API in a source text.
func method(t *testing.T, source string) *types.Signature {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "source.go", "package source\n"+source, 0)
	if err != nil {
		t.Fatal(err)
	}
	checked, err := (&types.Config{}).Check("source", files, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return checked.Scope().Lookup("API").Type().Underlying().(*types.Interface).Method(0).Signature()
}

func TestTypesAreComparedAsTheyTravel(t *testing.T) {
	const before = `
type API interface { Call(user *User, page int) ([]*User, error) }
type Time struct { s int64 }
func (Time) GobEncode() ([]byte, error) { return nil, nil }
type Text = string
type User struct { Name string; Age int64; When Time; Props map[string]any; Of *User; Roles []string; Key []byte; Gone chan int }
`
	then := method(t, before)
	for _, test := range []struct{ old, now, want string }{
		{"", "", ""},
		{"Age int64", "Age int8", ""},
		{"Name string", "Name *Text", ""},
		{"Gone chan int", "New bool", ""},
		{"Name string; ", "", ""},
		{"Age int64", "Age string", "argument 1.Age is string (string), and was int64 (int)"},
		{"Age int64", "Age uint64", "(uint)"},
		{"When Time", "When int64", "argument 1.When is int64 (int), and was source.Time (itself)"},
		{"map[string]any", "map[int]any", "argument 1.Props{key}"},
		{"Of *User", "Of []*User", "argument 1.Of"},
		{"Roles []string", "Roles string", "argument 1.Roles"},
		{"Roles []string", "Roles []int", "argument 1.Roles[]"},
		{"Key []byte", "Key string", "argument 1.Key"},
		{"page int", "page string", "argument 2"},
		{"([]*User, error)", "[]*User", "it has 1 results, and had 2"},
	} {
		found := strings.Join(differences(method(t, strings.Replace(before, test.old, test.now, 1)), then), "; ")
		if (test.want == "") != (found == "") || !strings.Contains(found, test.want) {
			t.Errorf("%q instead of %q: found %q, want %q", test.now, test.old, found, test.want)
		}
	}
}
