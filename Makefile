# What each target does stands beside it; `make` alone lists them.
GO ?= go
TOOLS := $(GO) tool -modfile=tools/go.mod
RACE := ./internal/box ./internal/compile ./internal/register ./internal/gate ./internal/trace ./internal/provider/... ./internal/policy ./internal/brain ./internal/sys ./evidence ./internal/kernel

.PHONY: help test need lint race soak conformance bench docs build

help: ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

test: need ## run all tests
	$(GO) test -timeout 30m ./...
	cd bench && $(GO) test ./...
	cd test/interop && $(GO) test ./...
	cd test/conformance && $(GO) test -short ./...

need: ## check for what tests need beside Go, and install it where that is possible
	@scripts/need

lint: ## gofumpt, go vet, staticcheck
	@out=$$($(TOOLS) gofumpt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofumpt would change:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	GOARCH=arm64 $(GO) vet ./...
	$(TOOLS) staticcheck ./...
	cd bench && $(GO) vet ./... && $(GO) tool -modfile=../tools/go.mod staticcheck ./...
	cd test/interop && $(GO) vet ./... && $(GO) tool -modfile=../../tools/go.mod staticcheck ./...
	cd test/conformance && $(GO) vet ./... && $(GO) tool -modfile=../../tools/go.mod staticcheck ./...

race: ## run the tests of the concurrent packages under the race detector
	$(GO) test -race -short -timeout 30m $(RACE)

soak: ## long runs of the tests of crashes, power cuts, races and charges
	FORGEONE_SOAK=1 $(GO) test -timeout 60m -run 'Kill|Soak|Crash|PowerCut|Faults|Pressure' -v ./cmd/forgeone ./evidence ./internal/compile ./internal/kernel ./internal/rewrite

conformance: ## run the tests of Go's standard library, and real programs, as guests, beside bare wazero
	@scripts/need conformance
	cd test/conformance && $(GO) test -timeout 120m -v ./...

bench: ## print the figures of docs, beside their rivals
	cd bench && $(GO) run .

docs: ## write the generated pages anew
	$(GO) test ./internal/cli -run TestReference -update
	$(GO) test . -run TestFormats -update

build: ## one static binary in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w' -o bin/forgeone ./cmd/forgeone
