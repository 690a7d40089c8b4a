# make run and make test are all that a fresh clone needs. Everything that is installed goes to .cache/ and
# inspector/ui/node_modules; each step leaves a stamp and is done once.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
ARGS      ?=
TESTFLAGS ?=
TIMEOUT   ?= 20m
FUZZTIME  ?= 20s
BENCHTIME ?= 1s
# How long make proof may take, and which experiments it runs; all without any.
PROOF_MINUTES ?= 30
ONLY          ?=

CACHE     := $(CURDIR)/.cache
UI        := inspector/ui
SENDER    := fixtures/agentserver
LIBRARIES := scripts/senders

# A checkout may belong to another user, which makes git, and so the stamping of the build, fail.
export GOFLAGS := $(GOFLAGS) -buildvcs=false
# The tests that need a real agent server fail without it when this is set, and are skipped when it is not.
export HOOKRANGE_TEST_AGENTSERVER := $(CACHE)/agentserver
# So do those that send captures on to a FastAPI app.
export HOOKRANGE_TEST_MODAL := $(CACHE)/modal/python/bin/python
# So do those in a browser.
export HOOKRANGE_BROWSER := required

.PHONY: help
help: ## Show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: build ## Build and serve, with the data in .hookrange/ (more flags: ARGS='--listen 127.0.0.1:9000')
	exec bin/hookrange --data .hookrange serve $(ARGS)

.PHONY: build
build: ## Build bin/hookrange
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/hookrange .

.PHONY: test
test: deps test-ui test-go ## Install what the tests need, then run all of them

# A webhook.Field reads best as a bare pair, so composites is off.
.PHONY: test-go
test-go: deps
	go vet -composites=false ./...
	go test -race -shuffle=on -timeout $(TIMEOUT) $(TESTFLAGS) ./...

# The built page is committed, so that go build needs no Node: it must be what its sources give.
.PHONY: test-ui
test-ui: $(CACHE)/ui.stamp
	cd $(UI) && npm run check
	cd $(UI) && npm test
	cd $(UI) && npx --no-install vite build --logLevel warn --outDir $(CACHE)/dist --emptyOutDir
	@diff -r --brief --exclude=.keep $(CACHE)/dist $(UI)/dist || { echo "make: $(UI)/dist is not what its sources give: run make ui and commit it" >&2; exit 1; }

.PHONY: ui
ui: $(CACHE)/ui.stamp ## Build the web page into inspector/ui/dist, and its types from the API's contract
	cd $(UI) && npm run types
	cd $(UI) && npm run build
	touch $(UI)/dist/.keep

.PHONY: deps
deps: system $(CACHE)/ui.stamp $(CACHE)/agentserver-js.stamp $(CACHE)/agentserver-python.stamp $(CACHE)/modal.stamp ## Install what the tests need

# Looks for the tools each time, which is cheap, and installs only missing ones.
.PHONY: system
system:
	@.ci/system

$(CACHE)/ui.stamp: $(UI)/package.json $(UI)/package-lock.json $(UI)/.npmrc | system
	cd $(UI) && npm ci
	mkdir -p $(CACHE)
	touch $@

# Not npm ci: it refuses any lock of these packages, for optional parts of theirs that npm does not write into it.
$(CACHE)/agentserver-js.stamp: $(addprefix $(SENDER)/js/,package.json package-lock.json .npmrc) | system
	rm -rf $(CACHE)/agentserver/js
	mkdir -p $(CACHE)/agentserver/js
	cp $^ $(CACHE)/agentserver/js
	cd $(CACHE)/agentserver/js && npm install --omit=optional --no-save
	touch $@

$(CACHE)/agentserver-python.stamp: $(SENDER)/python/requirements.txt | system
	rm -rf $(CACHE)/agentserver/python
	mkdir -p $(CACHE)/agentserver
	"$$(.ci/system python)" -m venv $(CACHE)/agentserver/python
	$(CACHE)/agentserver/python/bin/python -m pip install --quiet --disable-pip-version-check --prefer-binary -r $<
	touch $@

$(CACHE)/modal.stamp: fixtures/modal/requirements.txt | system
	rm -rf $(CACHE)/modal
	mkdir -p $(CACHE)/modal
	"$$(.ci/system python)" -m venv $(CACHE)/modal/python
	$(CACHE)/modal/python/bin/python -m pip install --quiet --disable-pip-version-check --prefer-binary -r $<
	touch $@

# Judges senders that others wrote, at real time, so it takes minutes and is no part of test.
.PHONY: conformance
conformance: build $(addprefix $(CACHE)/,senders-js.stamp senders-python.stamp senders-go.stamp agentserver-js.stamp agentserver-python.stamp) ## Judge real senders, at real time (minutes)
	HOOKRANGE_CONFORMANCE=$(CURDIR)/bin/hookrange HOOKRANGE_CONFORMANCE_SENDERS=$(CACHE)/senders \
	  go test -v -count=1 -timeout $(TIMEOUT) $(TESTFLAGS) ./$(LIBRARIES)

$(CACHE)/senders-js.stamp: $(addprefix $(LIBRARIES)/js/,got.mjs superagent.mjs package.json package-lock.json .npmrc) | system
	rm -rf $(CACHE)/senders/js
	mkdir -p $(CACHE)/senders/js
	cp $^ $(CACHE)/senders/js
	cd $(CACHE)/senders/js && npm ci --omit=optional
	touch $@

$(CACHE)/senders-python.stamp: $(LIBRARIES)/python/requirements.txt | system
	rm -rf $(CACHE)/senders/python
	mkdir -p $(CACHE)/senders
	"$$(.ci/system python)" -m venv $(CACHE)/senders/python
	$(CACHE)/senders/python/bin/python -m pip install --quiet --disable-pip-version-check --prefer-binary -r $<
	touch $@

$(CACHE)/senders-go.stamp: $(addprefix $(LIBRARIES)/go/,go.mod go.sum heimdall/main.go plain/main.go retryable/main.go) | system
	mkdir -p $(CACHE)/senders/go
	cd $(LIBRARIES)/go && go build -o $(CACHE)/senders/go/ ./...
	touch $@

.PHONY: lint
lint: ## Check format, imports and style with the pinned linters
	@.ci/lint

.PHONY: bench
bench: ## Measure: each stage, the store, the live feed, the whole way against a no-op handler, and a long list in the browser
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) -timeout 60m ./...
	HOOKRANGE_SCROLL=100000 HOOKRANGE_BROWSER=required go test -run '^TestScroll$$' -v -count 1 -timeout 60m ./inspector/e2e

# Results are kept in .cache/proof while the sources stay the same, so it can be stopped, and goes on the next time.
.PHONY: proof
proof: ## Run the long experiments for PROOF_MINUTES (30) and write the table into the README
	@.ci/system proof
	go build -o $(CACHE)/proof/prove ./scripts/proof/prove
	exec $(CACHE)/proof/prove --minutes $(PROOF_MINUTES) $(addprefix --only=,$(ONLY))

.PHONY: fuzz
fuzz: ## Fuzz each target for FUZZTIME (20s)
	@for package in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
	    echo "== $$package $$target"; \
	    go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
	  done; \
	done

.PHONY: clean
clean: ## Remove what was built and installed; .hookrange/ stays
	rm -rf bin .cache $(UI)/node_modules
