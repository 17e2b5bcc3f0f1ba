//go:build !unix

package wasm

import "io/fs"

// Elsewhere folders inherit their rights, and there are no modes to look at.

func onlyOurs(fs.FileInfo) error { return nil }

func belongsToUs(fs.FileInfo) bool { return true }
