package wasm

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"runtime"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// InterpretedNote is what the status says where WebAssembly has to be interpreted.
const InterpretedNote = "This host does not let the plugin use executable memory, so the core runs interpreted: " +
	"everything works, but slower. Allow it (SELinux execmem, systemd MemoryDenyWriteExecute=no) for full speed."

// engine is the compiled core.
type engine struct {
	runtime  wazero.Runtime
	cache    wazero.CompilationCache
	compiled wazero.CompiledModule
	// notes are what the host wants said in the status.
	notes []string
}

// newEngine compiles the core.
func newEngine(ctx context.Context, config Config) (*engine, error) {
	code, err := os.ReadFile(config.Path)
	if err != nil {
		return nil, fmt.Errorf("the plugin's bundle is incomplete, upload it again: %w", err)
	}
	compile := !config.Interpret && canCompile(ctx)
	cache, notes := openCache(config.CacheDirs)
	for _, note := range notes {
		config.Log.LogWarn(note)
	}
	if compile && cache != nil {
		e, err := buildEngine(ctx, config, code, wazero.NewRuntimeConfigCompiler().WithCompilationCache(cache))
		if err == nil {
			e.cache, e.notes = cache, notes
			return e, nil
		}
		_ = cache.Close(ctx)
		config.Log.LogWarn("The cache of the compiled core is of no use; compiling without it.", "error", err.Error())
	}
	if compile {
		e, err := buildEngine(ctx, config, code, wazero.NewRuntimeConfigCompiler())
		if err == nil {
			e.notes = notes
		}
		return e, err
	}
	e, err := buildEngine(ctx, config, code, wazero.NewRuntimeConfigInterpreter())
	if err != nil {
		return nil, err
	}
	// No code is kept, so the cache does not matter.
	e.notes = []string{InterpretedNote}
	config.Log.LogWarn(InterpretedNote)
	return e, nil
}

func buildEngine(ctx context.Context, config Config, code []byte, kind wazero.RuntimeConfig) (*engine, error) {
	e := &engine{runtime: wazero.NewRuntimeWithConfig(ctx,
		kind.WithCloseOnContextDone(true).WithMemoryLimitPages(config.MemoryPages))}
	err := func() error {
		if _, err := wasi_snapshot_preview1.Instantiate(ctx, e.runtime); err != nil {
			return err
		}
		if err := exportWall(ctx, e.runtime); err != nil {
			return err
		}
		var err error
		e.compiled, err = e.runtime.CompileModule(experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0)), code)
		return err
	}()
	if err != nil {
		_ = e.runtime.Close(ctx)
		return nil, fmt.Errorf("the core cannot be compiled: %w", err)
	}
	return e, nil
}

// instantiate starts a new instance of the core; ctx bounds the time it may take.
func (e *engine) instantiate(ctx context.Context, i *instance) (api.Module, error) {
	return e.runtime.InstantiateModule(ctx, e.compiled, wazero.NewModuleConfig().
		WithName("").
		WithStartFunctions("_initialize").
		WithSysWalltime().
		WithSysNanotime().
		WithRandSource(rand.Reader).
		WithStdout(&lines{instance: i, write: i.config.Log.LogInfo}).
		WithStderr(&lines{instance: i, write: i.config.Log.LogError}))
}

func (e *engine) close() {
	ctx := context.Background()
	_ = e.runtime.Close(ctx)
	if e.cache != nil {
		_ = e.cache.Close(ctx)
	}
}

// canCompile tries whether code can be compiled and made executable. Hardened hosts refuse that: SELinux without
// execmem, systemd's MemoryDenyWriteExecute, seccomp filters. wazero notices some of it by itself but tells nobody,
// and it panics on the rest.
func canCompile(ctx context.Context) (can bool) {
	defer func() {
		if recover() != nil {
			can = false
		}
	}()
	trial := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler())
	defer func() { _ = trial.Close(ctx) }()
	// A module with one function that returns nothing.
	_, err := trial.CompileModule(ctx, []byte{
		0, 'a', 's', 'm', 1, 0, 0, 0,
		1, 4, 1, 0x60, 0, 0, // types: () -> ()
		3, 2, 1, 0, // functions: one of that type
		10, 4, 1, 2, 0, 0x0b, // code: end
	})
	return err == nil
}
