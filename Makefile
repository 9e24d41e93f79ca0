# Needs Go and GNU make; PostgreSQL's programs, a C compiler and Node are installed where they are missing and this user
# may. Nothing has to be set.
#
#   ARGS       for the program:  make serve ARGS="--addr :8080"
#   TESTFLAGS  for go test:      make test TESTFLAGS="-count=1"

.DEFAULT_GOAL := help
.PHONY: help demo serve test build bench generate web ready

# A bare environment, such as that of a service, has none of these.
ifeq ($(origin PATH),undefined)
PATH := /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
endif
export PATH := $(PATH):/usr/local/go/bin
ifeq ($(origin HOME),undefined)
export HOME := $(shell eval echo "~$$(id -un)")
endif

# Git tells nothing about a checkout of another user, and go build then fails for want of a revision to stamp.
ifneq ($(shell git rev-parse HEAD >/dev/null 2>&1 && echo yes),yes)
export GOFLAGS := $(GOFLAGS) -buildvcs=false
endif

help: ## this list
	@echo "Grantwood. Targets:"
	@sed -n 's/^\([a-z]*\):.*## /  \1\t/p' Makefile

demo: ready build ## a server with invented data: make demo ARGS="…"
	@exec bin/grantwood demo $(ARGS)

serve: ready build ## the server: make serve ARGS="…"
	@exec bin/grantwood serve $(ARGS)

# The order is that of cost, and what go test says comes last. The profile, which the program is built with, would have everything
# compiled twice.
test: export GOFLAGS := $(GOFLAGS) -pgo=off
test: ready ## everything that has to pass: generated files, vet, staticcheck, tests
	@scripts/ensure-compiler
	@scripts/ensure-modules web/clients
	@scripts/ensure-chromium
	scripts/check-generated
	scripts/with-node scripts/check-web
	go vet ./...
	go tool staticcheck ./...
	scripts/with-node go test -race -timeout 30m $(TESTFLAGS) ./...

# Without cgo the program is one file that runs on every system of its kind, whatever C library that has.
build: ## bin/grantwood
	@scripts/ensure-go
	CGO_ENABLED=0 go build -o bin/grantwood ./cmd/grantwood

bench: ready build ## measures against hand-written handlers: make bench ARGS="-workload W2"
	go build -o bin/bench ./bench
	@exec bin/bench $(ARGS)

generate: ## the generated code
	@scripts/ensure-go
	go generate ./...

web: ## the pages, built from web/*/src
	@scripts/ensure-node
	scripts/with-node scripts/check-web write

ready:
	@scripts/ensure-go
	@scripts/ensure-postgres
