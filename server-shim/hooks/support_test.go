package hooks

import (
	"strings"
	"testing"

	"github.com/mattermost/mattermost/server/public/model"
	"github.com/mattermost/mattermost/server/public/plugin"

	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/coretest"
	"github.com/teleport-access/mattermost-plugin-teleport-access/server-shim/wasm"
)

func supportData(t testing.TB, p *Plugin) []*model.FileData {
	t.Helper()
	files, err := p.GenerateSupportData(&plugin.Context{})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestTheCoreGivesFilesForTheSupportPacketWithoutSecrets(t *testing.T) {
	s := newServer(t)
	s.settings = map[string]any{"teleportaddress": "tp.example:443", "identity": coretest.Identity(t)}
	p := activate(t, s)
	files := supportData(t, p)
	var all strings.Builder
	for _, file := range files {
		if file.Filename == "" || file.Filename == absenceFile || len(file.Body) == 0 {
			t.Errorf("there is a file %q of %d bytes", file.Filename, len(file.Body))
		}
		all.Write(file.Body)
	}
	if !strings.Contains(all.String(), "tp.example:443") || strings.Contains(all.String(), "PRIVATE KEY") {
		t.Errorf("the files say\n%s", all.String())
	}

	core := &teller{}
	fake := startFake(t, core, nil)
	fake.stats = wasm.Stats{MemoryBytes: 1, Lost: 2}
	replaceCore(t, p, fake)
	files = supportData(t, p)
	if len(files) != 2 || files[0].Filename != "one.json" || string(files[0].Body) != "{}" || files[1].Filename != "empty.txt" {
		t.Errorf("the files are %v", files)
	}
	if core.host.GetWasmMemoryBytes() != 1 || core.host.GetWasmRestarts() != 2 {
		t.Errorf("the core was told %v", core.host)
	}
}

func TestWithoutTheCoreTheSupportPacketSaysWhyNothingIsThere(t *testing.T) {
	s := newServer(t)
	inactive := New("")
	inactive.SetAPI(s)
	away := activate(t, s)
	replaceCore(t, away, startFake(t, nil, nil))
	broken := New("")
	broken.SetAPI(s)
	broken.ready.Store(true)
	for name, p := range map[string]*Plugin{
		"while the plugin is not active": inactive, "while the core is away": away, "after a panic": broken,
	} {
		t.Run(name, func(t *testing.T) {
			files := supportData(t, p)
			if len(files) != 1 || files[0].Filename != absenceFile ||
				!strings.Contains(string(files[0].Body), "could not be asked") {
				t.Errorf("the files are %v", files)
			}
		})
	}
}
