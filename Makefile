# Every target works on a fresh machine with Go and git.
SHELL := /bin/bash
GO ?= go
export CGO_ENABLED ?= 0

MODULES   := shared manifests conformance providers/docker providers/gitworktree providers/local providers/remoteserver cmd release
PROVIDERS := docker gitworktree local remoteserver
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
EXE       := $(shell $(GO) env GOEXE)
LDFLAGS   := -s -w

GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOFUMPT  := mvdan.cc/gofumpt@v0.12.0
GORELEASER := github.com/goreleaser/goreleaser/v2@v2.15.4
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

.DEFAULT_GOAL := help
.PHONY: $(shell awk -F: '/^[a-z-]+:/{print $$1}' $(firstword $(MAKEFILE_LIST)))

help: ## show the targets
	@awk 'BEGIN{FS=":.*## "} /^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## put every program into bin/
	@mkdir -p bin
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/codebolt-providers$(EXE) ./cmd/codebolt-providers
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/codebolt-runtime$(EXE) ./cmd/codebolt-runtime
	@for a in amd64 arm64; do echo "$(GO) build cmd/codebolt-runtime for containers and hosts on linux/$$a"; \
	  GOOS=linux GOARCH=$$a $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/codebolt-runtime-linux-$$a ./cmd/codebolt-runtime || exit 1; done
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/codebolt-conformance$(EXE) ./cmd/codebolt-conformance
	@for p in $(PROVIDERS); do echo "$(GO) build providers/$$p"; \
	  $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/codebolt-provider-$$p$(EXE) ./providers/$$p || exit 1; done

PREFIX ?= $(HOME)/.local
LIBDIR := $(DESTDIR)$(PREFIX)/lib/codebolt-providers
BINDIR := $(DESTDIR)$(PREFIX)/bin
LINKED := codebolt-providers codebolt-conformance codebolt-runtime

install: build ## put the programs into PREFIX, ~/.local by default: links in bin, the programs in lib/codebolt-providers
	@mkdir -p '$(LIBDIR)' '$(BINDIR)'
	install -m 0755 bin/codebolt-* '$(LIBDIR)'
	@for p in $(LINKED); do ln -sf ../lib/codebolt-providers/$$p$(EXE) '$(BINDIR)'/$$p$(EXE) || exit 1; done
	@case ":$$PATH:" in *:'$(PREFIX)/bin':*) ;; *) echo '$(PREFIX)/bin is not in your PATH; add it, or call $(PREFIX)/bin/codebolt-providers';; esac

uninstall: ## remove what install has put there; environments and installed providers stay
	rm -f '$(LIBDIR)'/codebolt-*
	@if [ -d '$(LIBDIR)' ]; then rmdir '$(LIBDIR)'; fi
	@for p in $(LINKED); do case "$$(readlink '$(BINDIR)'/$$p$(EXE))" in */codebolt-providers/*) rm -f '$(BINDIR)'/$$p$(EXE);; esac; done

demo: build ## run a small task in an environment of its own, on a clone of this repository
	@bash scripts/demo.sh

test: ## all tests, with the race detector where it sees something
	@bash scripts/test.sh

test-short: ## the quick part of the tests
	@bash scripts/test.sh -short

conformance: build ## judge the providers that need no daemon by every check; reports go to bin/conformance/
	@status=0; for p in gitworktree local; do echo "== $$p"; \
	  bin/codebolt-conformance$(EXE) run --manifest manifests/$$p --json bin/conformance/$$p.json --junit bin/conformance/$$p.xml \
	    --html bin/conformance/$$p.html -- bin/codebolt-provider-$$p$(EXE) || status=$$?; done; exit $$status

conformance-docker: ## judge the docker provider by every check (about ten minutes); it starts a daemon of its own
	cd providers/docker && $(GO) test -v -count=1 -timeout 30m -run TestConformance .

conformance-remoteserver: ## judge the remote-server provider by every check (about five minutes); it starts an SSH server of its own
	cd providers/remoteserver && $(GO) test -v -count=1 -timeout 30m -run TestConformance .

conformance-installed: ## judge an installed provider, started through Node as servers do, by every check
	cd cmd && $(GO) test -v -count=1 -timeout 30m -run TestAnInstalledProviderConforms ./codebolt-providers

conformance-node: ## judge the example in plain Node by every check
	cd conformance && $(GO) test -v -count=1 -timeout 30m -run TestAProviderInPlainNode .

example: build ## write the example reports of docs/conformance.md anew, and with chromium their picture
	bin/codebolt-conformance$(EXE) run --manifest manifests/gitworktree --json docs/examples/conformance.json --junit docs/examples/conformance.xml \
	  --html docs/examples/conformance.html -- bin/codebolt-provider-gitworktree$(EXE)
	@if command -v chromium >/dev/null; then dir=$$(mktemp -d); sandbox=; [ "$$(id -u)" != 0 ] || sandbox=--no-sandbox; \
	  chromium --headless $$sandbox --hide-scrollbars --user-data-dir="$$dir" --window-size=1200,1450 \
	    --screenshot="$$PWD/docs/examples/conformance.png" "file://$$PWD/docs/examples/conformance.html" 2>/dev/null; rm -rf "$$dir"; \
	else echo "the picture stays as it was: there is no chromium"; fi

docs: ## write the pages that are made from the code
	$(GO) run ./cmd/codebolt-conformance list --markdown > docs/conformance-checks.md.new
	@mv docs/conformance-checks.md.new docs/conformance-checks.md
	cd manifests && $(GO) run ./describe
	cd shared && $(GO) run ./wire/describe

mutants: ## try every defect of the broken provider on the conformance check meant for it, and print the table (about six minutes)
	@set -o pipefail; cd conformance && CONFORMANCE_MUTANTS=each $(GO) test -v -count=1 -timeout 40m -run 'TestEachDefect' ./internal/mutant | \
	  sed -E '/^(=== | *--- PASS)/d; s/^ *mutant_test.go:[0-9]+: //'

check: lint cross standalone ## lint, cross-compile, build and vet each module alone

lint:
	@for m in $(MODULES); do echo "lint $$m"; \
	  (cd $$m && $(GO) run $(GOLANGCI) run --allow-parallel-runners ./...) || exit 1; done
	@out=$$($(GO) run $(GOFUMPT) -l $(MODULES)); if [ -n "$$out" ]; then echo "not formatted with gofumpt:"; echo "$$out"; exit 1; fi

vet:
	@for m in $(MODULES); do echo "vet $$m"; (cd $$m && $(GO) vet ./...) || exit 1; done

# What differs in tests differs by system, and not by processor. What is only compiled
# here is not optimized; standalone does that for this platform.
CROSS := -gcflags='all=-N -l' -ldflags='-s -w'
cross:
	@for p in $(filter-out $(shell $(GO) env GOHOSTOS)/$(shell $(GO) env GOHOSTARCH),$(PLATFORMS)); do echo "build $$p"; export GOOS=$${p%/*} GOARCH=$${p#*/}; \
	  $(GO) build $(CROSS) -o /dev/null ./shared/... ./manifests ./conformance ./conformance/suite/... $(PROVIDERS:%=./providers/%) ./cmd/... || exit 1; \
	  case $$p in darwin/arm64|windows/amd64) $(GO) vet $(CROSS) $(MODULES:%=./%/...) || exit 1;; esac; done

standalone:
	@for m in $(MODULES); do echo "GOWORK=off $$m"; \
	  (cd $$m && GOWORK=off $(GO) build -ldflags '-s -w' -o /dev/null ./... && GOWORK=off $(GO) vet ./... && GOWORK=off $(GO) mod tidy -diff) || exit 1; done

vuln: ## look for known vulnerabilities in what every module calls; it needs https://vuln.go.dev or GOVULNDB
	@GO="$(GO)" bash scripts/vuln.sh $(GOVULNCHECK) $(MODULES)

release: ## make and publish the release of the tag that is checked out; the workflow of releases does this
	$(GO) run $(GORELEASER) release --clean

release-snapshot: ## make all of a release of this commit, in dist/, and publish nothing
	bash scripts/release-snapshot.sh $(GO) run $(GORELEASER)

release-reproducible: ## make a release of this commit twice, in different folders, and compare
	bash scripts/release-reproducible.sh

release-parts: # what goreleaser has made before anything else
	@PLATFORMS='$(PLATFORMS)' PROVIDERS='$(PROVIDERS)' bash scripts/release-parts.sh '$(VERSION)' '$(COMMIT)' '$(DATE)' '$(EPOCH)'

release-modules: ## write VERSION, such as v1.2.3, into every go.mod, and print the tags of the release
	@cd release && $(GO) run ./modules set $(VERSION) && $(GO) run ./modules tags $(VERSION)

bench: build ## measure against the bare tools; prints a table, writes bench-results.json
	$(GO) run ./conformance/bench -bin bin -json bench-results.json

clean: ## remove what build and bench made
	rm -rf bin dist bench-results.json coverage.out
