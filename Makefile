# Everything starts here: `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PLUGIN_ID := $(shell sed -n 's/^  "id": "\(.*\)",$$/\1/p' plugin.json)
VERSION := $(shell sed -n 's/^  "version": "\(.*\)",$$/\1/p' plugin.json)
BUILD ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
HOST := $(shell go env GOOS)-$(shell go env GOARCH)
PLATFORMS := linux-amd64 linux-arm64 darwin-amd64 darwin-arm64 windows-amd64

CORE := build/core.wasm
CORE_SOURCES := Cargo.toml Cargo.lock core/Cargo.toml core/build.rs $(shell find core/src proto -type f)
SHIM_SOURCES := server-shim/go.mod server-shim/go.sum $(shell find server-shim -name '*.go' 2>/dev/null)
WEBAPP := webapp/dist/main.js
WEBAPP_SOURCES := plugin.json webapp/package-lock.json webapp/build.mjs $(shell find webapp/src -type f)
BROWSER := build/webapp/core_bg.wasm
# What Rust's WASM uses, and no more: wasm-opt's newest features are ahead of browsers.
BROWSER_FEATURES := $(addprefix --enable-,bulk-memory bulk-memory-opt multivalue mutable-globals nontrapping-float-to-int reference-types sign-ext)
BROWSER_SOURCES := $(CORE_SOURCES) $(shell find webapp/wasm webapp/bindgen -type f)
BUNDLE := dist/$(PLUGIN_ID)-$(VERSION).tar.gz
HOST_BUNDLE := dist/$(PLUGIN_ID)-$(VERSION)-$(HOST).tar.gz

TARGET := $(or $(CARGO_TARGET_DIR),target)
SEEDS ?= 20000
say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help
help: ## Lists the targets.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | sort | awk -F '\t' '{ printf "  %-14s %s\n", $$1, $$2 }'

.PHONY: all
all: check-style test dist ## Checks, tests and builds everything.

## What it takes

.PHONY: tools
tools: ## Installs the Rust toolchain and targets that rust-toolchain.toml names.
	@scripts/need-rust.sh

# Of the plugin's first days.
OLD_TELEPORTS := $(foreach version,4.3 5.1 6.2,build/bin/teleport-$(version)-server)

.PHONY: servers
servers: build/bin/mattermost-server build/bin/mattermost-9.9-server build/bin/teleport-server $(OLD_TELEPORTS) ## Builds the real Mattermost and Teleport servers for tests and demo, once.

build/bin/%-server: e2e/%-server/main.go e2e/%-server/go.mod e2e/%-server/go.sum scripts/build-server.sh
	@scripts/build-server.sh $*

## Building

.PHONY: core
core: $(CORE) ## Builds the core's WASM module.

$(CORE): $(CORE_SOURCES) | tools
	$(call say,Building the core)
	@cargo build --release --locked --target wasm32-wasip1 --package teleport-access-core
	@mkdir -p build && cp $(TARGET)/wasm32-wasip1/release/teleport_access_core.wasm $(CORE)

$(BROWSER): $(BROWSER_SOURCES) webapp/node_modules/.installed | tools
	$(call say,Building the core for browsers)
	@cargo build --profile browser --locked --target wasm32-unknown-unknown --package teleport-access-browser $(BROWSER_FLAGS)
	@cargo run --quiet --locked --package teleport-access-bindgen -- \
	$(TARGET)/wasm32-unknown-unknown/browser/teleport_access_browser.wasm build/webapp core
	@webapp/node_modules/.bin/wasm-opt -Os $(BROWSER_FEATURES) $(BROWSER) -o $(BROWSER)

webapp/node_modules/.installed: webapp/package-lock.json
	$(call say,Installing what the webapp is built with)
	@cd webapp && npm ci --no-progress --loglevel=error
	@touch $@

.PHONY: webapp
webapp: $(WEBAPP) ## Builds the settings page.

$(WEBAPP): $(BROWSER) $(WEBAPP_SOURCES)
	$(call say,Building the settings page)
	@cd webapp && npm run --silent build

# Inlining makes the five shims a sixth larger, and all of them must fit into one upload. What compiles the core keeps it.
server-shim/dist/plugin-%: $(SHIM_SOURCES)
	$(call say,Building the shim for $*)
	@platform=$*; platform=$${platform%.exe}; cd server-shim && \
	CGO_ENABLED=0 GOOS=$${platform%-*} GOARCH=$${platform#*-} \
	go build -trimpath -gcflags 'all=-l' -gcflags 'github.com/tetratelabs/wazero/...=' -ldflags '-s -w -X main.build=$(BUILD)' -o dist/plugin-$* .

SHIMS := $(foreach platform,$(PLATFORMS),server-shim/dist/plugin-$(platform)$(if $(filter windows-%,$(platform)),.exe))

.PHONY: dist
dist: $(BUNDLE) $(HOST_BUNDLE) ## Builds the bundles to upload in System Console: for all platforms, and for this one.

.PHONY: bundle
bundle: $(HOST_BUNDLE) ## Builds the bundle for this machine's platform only.

BUNDLED := $(WEBAPP) plugin.json assets/icon.svg assets/bot.png LICENSE scripts/bundle.mjs

$(BUNDLE): $(CORE) $(SHIMS) $(BUNDLED)
	@node scripts/bundle.mjs $(BUNDLE) 45 $(PLATFORMS)

$(HOST_BUNDLE): $(CORE) server-shim/dist/plugin-$(HOST) $(BUNDLED)
	@node scripts/bundle.mjs $(HOST_BUNDLE) 12 $(HOST)

.PHONY: deploy
deploy: bundle ## Uploads and enables the plugin: MM_SERVICESETTINGS_SITEURL and MM_ADMIN_TOKEN say where and as whom.
	@scripts/deploy.sh $(HOST_BUNDLE) $(PLUGIN_ID)

.PHONY: generate
generate: ## Generates the Go code of the contracts in proto/.
	$(call say,Generating Go code from proto/)
	@server-shim/generate.sh

## Checking

.PHONY: check-style
check-style: tools webapp/node_modules/.installed e2e/browser/node_modules/.installed ## Formats, lints, and stale generated code.
	$(call say,Rust: format and lints)
	@cargo fmt --all --check
	@cargo clippy --locked --workspace --all-targets -- --deny warnings
	@cargo clippy --locked --package teleport-access-core --target wasm32-wasip1 -- --deny warnings
	@cargo clippy --locked --package teleport-access-browser --target wasm32-unknown-unknown -- --deny warnings
	$(call say,Mutants: places)
	@node scripts/mutants.mjs --check
	$(call say,Go: format and vet)
	@unformatted=$$(gofmt -l server-shim e2e); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	@cd server-shim && go vet ./...
	@cd e2e && go vet ./...
	@scripts/check-generated.sh
	$(call say,TypeScript: types and lints)
	@cd webapp && npm run --silent check
	@cd e2e/browser && npm run --silent check

.PHONY: test
test: test-core simulate test-shim test-webapp e2e test-browser ## Runs the tests of all rooms.

.PHONY: test-core
test-core: tools ## Tests the core by itself.
	$(call say,Testing the core)
	@cargo test --locked --workspace

SIMULATION := cargo test --quiet --locked --profile simulate --package teleport-access-core --test simulation --

.PHONY: simulate
simulate: tools ## Runs the core in SEEDS=n simulated worlds, each with other faults.
	$(call say,Simulating $(SEEDS) worlds)
	@$(SIMULATION) $(SEEDS)

.PHONY: replay
replay: tools ## Runs the simulated world SEED=n again and prints what happens in it.
	@$(SIMULATION) seed $(SEED)

.PHONY: mutants
mutants: tools ## Shows that the simulation catches bugs: breaks the core in many ways, one at a time.
	$(call say,Breaking the core on purpose)
	@node scripts/mutants.mjs $(MUTANT)

.PHONY: test-shim
test-shim: $(CORE) ## Tests the shim with the real core.
	$(call say,Testing the shim)
	@# Never from Go's cache: it does not see that the core or the bundle has changed.
	@cd server-shim && go test -count=1 ./...

.PHONY: test-webapp
test-webapp: $(BROWSER) ## Tests the settings page, and the core in its browser form.
	$(call say,Testing the webapp)
	@cd webapp && npm run --silent test

.PHONY: e2e
e2e: $(HOST_BUNDLE) servers postgresql ## Tests the bundle on a real Mattermost server with a real Teleport, and with the double.
	$(call say,Testing on real servers)
	@cd e2e && BUNDLE=$(CURDIR)/$(HOST_BUNDLE) go test -count=1 -p 1 -timeout 40m -v ./... 2>&1 | $(CURDIR)/scripts/brief.sh
	$(call say,Testing on the oldest Mattermost server)
	@cd e2e && MATTERMOST=9.9 BUNDLE=$(CURDIR)/$(HOST_BUNDLE) go test -count=1 -p 2 -timeout 20m -v ./suite ./endurance 2>&1 | $(CURDIR)/scripts/brief.sh

# What browser tests play on; a command may follow.
STAGE := cd e2e && BUNDLE=$(CURDIR)/$(HOST_BUNDLE) go run ./cmd/settings-page
BROWSER_TESTS := build/console/.built $(HOST_BUNDLE) servers postgresql chromium

.PHONY: test-browser
test-browser: $(BROWSER_TESTS) ## Tests the settings page in Chromium, on real servers: ONLY=pattern takes some.
	$(call say,Testing the settings page in a browser)
	@$(STAGE) node --test-reporter=spec browser/tests/all.mjs
	$(call say,Testing the settings page on the oldest Mattermost server)
	@export MATTERMOST=9.9; $(STAGE) node --test-reporter=spec browser/tests/all.mjs

.PHONY: test-broken
test-broken: $(BROWSER_TESTS) ## Shows that the browser tests notice a broken page: BREAK=name takes one way to break it.
	$(call say,Breaking the settings page on purpose)
	@$(STAGE) node browser/broken.mjs

.PHONY: pictures
pictures: $(BROWSER_TESTS) ## Draws docs/images/ anew.
	$(call say,Drawing the settings page)
	@$(STAGE) node browser/pictures.mjs

.PHONY: console
console: $(BROWSER_TESTS) ## Serves the settings page for trying it by hand, until Ctrl-C.
	@$(STAGE)

e2e/browser/node_modules/.installed: e2e/browser/package-lock.json
	$(call say,Installing what the browser tests take)
	@cd e2e/browser && npm ci --no-progress --loglevel=error
	@touch $@

build/console/.built: e2e/browser/node_modules/.installed e2e/browser/build.mjs $(wildcard e2e/browser/console/*)
	@cd e2e/browser && npm run --silent build
	@touch $@

.PHONY: chromium
chromium:
	@scripts/need-chromium.sh

.PHONY: postgresql
postgresql:
	@scripts/need-postgresql.sh

.PHONY: demo
demo: $(HOST_BUNDLE) build/bin/mattermost-server $(if $(filter real,$(TELEPORT)),build/bin/teleport-server) postgresql ## Shows it all: DEMO=once ends by itself, TELEPORT=real takes a real Teleport.
	@cd e2e && BUNDLE=$(CURDIR)/$(HOST_BUNDLE) go run ./cmd/demo

.PHONY: clean
clean: ## Removes what was built.
	@rm -rf build dist target server-shim/dist webapp/dist webapp/node_modules e2e/browser/node_modules
