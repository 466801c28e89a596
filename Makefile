# Sluice. `make help` lists the targets; `make run` and `make test` need Go, Python 3 and make.
SHELL := /bin/sh
TOOLS := $(CURDIR)/.tools
export ENVOY_BIN ?= $(TOOLS)/envoy
export PATH := $(TOOLS)/bin:$(PATH)
GO ?= go
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
BUILD := $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
# The race detector needs a C compiler; where there is none and we may, it is installed.
RACE = $(shell command -v cc >/dev/null 2>&1 && echo -race)
CASES ?= 20
# Packages whose tests take longest begin first, so that none of them is left alone in the end.
LONGEST := ./e2e ./internal/audit ./e2e/browser ./internal/admin ./e2e/conformance ./e2e/keycloak ./e2e/openapi ./e2e/clients
# Programs built with -race wait a second when they end; each of the tests does, and each command of the gateway.
export GORACE ?= atexit_sleep_ms=20
FUZZTIME ?= 60s

.PHONY: help run build tools debian lint test test-long screenshots fuzz bench clean

help: ## show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

run: build $(TOOLS)/envoy ## build and start the gateway on 127.0.0.1:8443 with data in ./data
	@exec bin/sluice run

build: ## build bin/sluice
	$(BUILD) -o bin/sluice ./cmd/sluice

tools: $(TOOLS)/envoy $(TOOLS)/clients/ok $(TOOLS)/openapi/ok $(TOOLS)/bin/otelcol ## fetch the pinned Envoy, Keycloak, OpenTelemetry Collector and the Python clients of the tests into .tools
	@sh tools/fetch-keycloak

$(TOOLS)/envoy: tools/fetch-envoy tools/envoy-requirements.txt
	sh tools/fetch-envoy

$(TOOLS)/clients/ok $(TOOLS)/openapi/ok: $(TOOLS)/%/ok: e2e/%/requirements.txt
	sh tools/fetch-clients $*

$(TOOLS)/bin/staticcheck $(TOOLS)/bin/opa: tools/go.mod tools/go.sum
	cd tools && GOBIN=$(TOOLS)/bin $(GO) install tool

$(TOOLS)/bin/otelcol: tools/otelcol/go.mod tools/otelcol/go.sum tools/otelcol/main.go
	cd tools/otelcol && $(GO) build -trimpath -ldflags "-s -w" -o $@ .

debian: ## install the Debian packages that tests need, when missing and root
	@sh tools/debian-packages

lint: $(TOOLS)/bin/staticcheck $(TOOLS)/bin/opa ## gofmt, go vet, staticcheck, opa fmt and check
	sh tools/lint

test: debian tools $(TOOLS)/bin/opa ## every test that needs no container
	$(TOOLS)/bin/opa test policies/bundle
	$(GO) build $(RACE) -o bin/sluice-test ./cmd/sluice
	SLUICE_BIN=$(CURDIR)/bin/sluice-test $(GO) test $(RACE) -timeout 30m $(LONGEST) ./...

test-long: build debian tools ## the series of kills, changes, edits and outages at full length
	SLUICE_LONG=1 SLUICE_BIN=$(CURDIR)/bin/sluice $(GO) test -timeout 80m -count 1 -v ./e2e ./e2e/trail ./internal/audit ./internal/sink/redissink

screenshots: build tools debian ## take the pictures of docs/screenshots anew
	SLUICE_SCREENSHOTS=$(CURDIR)/docs/screenshots SLUICE_BIN=$(CURDIR)/bin/sluice $(GO) test -count 1 -run TestScreenshots ./e2e/browser

fuzz: ## run every fuzz target for FUZZTIME (60s)
	FUZZTIME=$(FUZZTIME) sh tools/fuzz

bench: build $(TOOLS)/envoy ## measure against the floors; ARGS=pair, ARGS=sustain: see docs/performance.md
	$(GO) build -tags unrecorded -o bin/sluice-unrecorded ./cmd/sluice
	$(GO) run ./bench $(ARGS)

clean: ## remove what was built; .tools and data stay
	rm -rf bin
