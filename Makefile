# Keelson's build. `make help` lists the targets.
SHELL := /bin/bash
BIN := $(CURDIR)/bin
TOOLS := $(BIN)/tools
export GOFLAGS ?= -buildvcs=false

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

$(TOOLS)/.stamp: proto/tools/go.mod proto/tools/go.sum
	@mkdir -p $(TOOLS)
	cd proto/tools && GOWORK=off GOBIN=$(TOOLS) go install github.com/bufbuild/buf/cmd/buf \
		google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc \
		honnef.co/go/tools/cmd/staticcheck
	@touch $@

.PHONY: tools
tools: $(TOOLS)/.stamp ## Build the pinned generators and linters into bin/tools

.PHONY: generate
generate: $(TOOLS)/.stamp ## Generate Go from the .proto files
	cd proto && PATH=$(TOOLS):$$PATH buf generate
