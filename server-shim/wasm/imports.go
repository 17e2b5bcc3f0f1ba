package wasm

import (
	"context"
	"errors"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// errMemory says that the module named memory that it does not have; the call that did so ends with it.
var errMemory = errors.New("the core named a buffer outside of its memory")

// exportWall offers the module "wall" that the core imports. Which instance calls is in the context.
func exportWall(ctx context.Context, runtime wazero.Runtime) error {
	caller := func(ctx context.Context) *instance {
		i, _ := ctx.Value(instanceKey{}).(*instance)
		return i
	}
	// A module's memory may move and change: what it hands over is copied before it goes on.
	bytes := func(module api.Module, pointer, length uint64) []byte {
		view, ok := module.Memory().Read(uint32(pointer), uint32(length))
		if !ok {
			panic(errMemory)
		}
		return append([]byte(nil), view...)
	}
	three := []api.ValueType{api.ValueTypeI32, api.ValueTypeI32, api.ValueTypeI32}
	one := []api.ValueType{api.ValueTypeI32}

	builder := runtime.NewHostModuleBuilder("wall")
	builder.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(
		func(ctx context.Context, module api.Module, stack []uint64) {
			caller(ctx).onBegin(uint32(stack[0]), bytes(module, stack[1], stack[2]))
		}), three, nil).Export("begin")
	builder.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(
		func(ctx context.Context, module api.Module, stack []uint64) {
			caller(ctx).onBody(uint32(stack[0]), bytes(module, stack[1], stack[2]))
		}), three, nil).Export("body")
	builder.NewFunctionBuilder().WithGoFunction(api.GoFunc(
		func(ctx context.Context, stack []uint64) {
			caller(ctx).onEnd(uint32(stack[0]))
		}), one, nil).Export("end")
	builder.NewFunctionBuilder().WithGoFunction(api.GoFunc(
		func(ctx context.Context, stack []uint64) {
			caller(ctx).onCancel(uint32(stack[0]))
		}), one, nil).Export("cancel")
	builder.NewFunctionBuilder().WithGoFunction(api.GoFunc(
		func(ctx context.Context, stack []uint64) {
			caller(ctx).onWakeAfter(stack[0])
		}), []api.ValueType{api.ValueTypeI64}, nil).Export("wake_after")
	_, err := builder.Instantiate(ctx)
	return err
}
