# Keelson's build. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
BIN := $(CURDIR)/bin
TOOLS := $(BIN)/tools
STATE := $(CURDIR)/.keelson
export GOFLAGS ?= -buildvcs=false
# sudo may forget where Go is.
export PATH := $(PATH):/usr/local/go/bin

COMPONENTS := apiserver scheduler controller-manager kubelet proxy
MODULES := proto proto/sdk proto/compat apiserver scheduler controller-manager kubelet proxy deploy deploy/e2e deploy/bench deploy/ecosystem
EXAMPLES := web backend store
KUBECTL_VERSION := v1.37.2
VERSION ?= v1.37.2+keelson
LDFLAGS := -s -w -X github.com/keelson/keelson/proto/sdk/process.version=$(VERSION)

# Options of `make up`.
NODES ?= 1
ETCD ?=
ETCD_ENDPOINTS ?=
ETCD_CA ?=
ETCD_CERT ?=
ETCD_KEY ?=
EXAMPLE ?= 1
UP_FLAGS ?=
BENCH_FLAGS ?=

.PHONY: help
help: ## List the targets
	@echo 'make TARGET; options of `up`: NODES=3, ETCD=3 (external etcd members with TLS), ETCD_ENDPOINTS= ETCD_CA= ETCD_CERT= ETCD_KEY=, EXAMPLE=0'
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

## ---- build ----------------------------------------------------------------------------------------------------------

.PHONY: build
build: ## Build every program into bin/
	@mkdir -p $(BIN)/examples
	@for c in $(COMPONENTS); do \
		echo "building keelson-$$c"; \
		(cd $$c && go build -ldflags '$(LDFLAGS)' -o $(BIN)/keelson-$$c ./cmd/keelson-$$c); done
	@echo "building keelson-local and the example"
	@cd deploy && go build -o $(BIN)/keelson-local ./cmd/keelson-local
	@cd deploy && for t in $(EXAMPLES); do CGO_ENABLED=0 go build -ldflags '-s -w' -o $(BIN)/examples/shop-$$t ./examples/shop/images/$$t; done

$(BIN)/etcd: deploy/e2e/go.mod
	cd deploy/e2e && GOWORK=off go build -o $@ go.etcd.io/etcd/server/v3

.PHONY: kubectl
kubectl: $(BIN)/kubectl ## Build kubectl from its Go module into bin/
$(BIN)/kubectl: deploy/e2e/go.mod $(wildcard deploy/e2e/cmd/kubectl/*.go)
	cd deploy/e2e && GOWORK=off go build \
		-ldflags '-X k8s.io/component-base/version.gitVersion=$(KUBECTL_VERSION) -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37' \
		-o $@ ./cmd/kubectl

HELM := $(BIN)/helm3 $(BIN)/helm4
$(BIN)/helm%: deploy/ecosystem/go.mod
	cd deploy/ecosystem && GOWORK=off go build -o $@ helm.sh/helm/v$*/cmd/helm

$(TOOLS)/.stamp: proto/tools/go.mod proto/tools/go.sum
	@mkdir -p $(TOOLS)
	cd proto/tools && GOWORK=off GOBIN=$(TOOLS) go install github.com/bufbuild/buf/cmd/buf \
		google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc \
		honnef.co/go/tools/cmd/staticcheck
	@touch $@

.PHONY: tools
tools: $(TOOLS)/.stamp ## Build the pinned generators and linters into bin/tools

.PHONY: generate
generate: $(TOOLS)/.stamp ## Generate Go and the descriptor image from the .proto files
	cd proto && PATH=$(TOOLS):$$PATH buf generate && $(TOOLS)/buf build -o schema/openapi/comments/api.binpb.gz

## ---- run ------------------------------------------------------------------------------------------------------------

.PHONY: up
up: build $(if $(ETCD),$(BIN)/etcd) ## Start a cluster on this machine (NODES=1) and run the example on it
	@$(BIN)/keelson-local up --dir $(STATE) --bin $(BIN) --nodes $(NODES) \
		$(if $(filter-out 0,$(EXAMPLE)),--examples $(CURDIR)/deploy/examples) \
		$(if $(ETCD),--etcd-members $(ETCD) --etcd-binary $(BIN)/etcd) \
		$(if $(ETCD_ENDPOINTS),--etcd-endpoints $(ETCD_ENDPOINTS)) $(if $(ETCD_CA),--etcd-ca $(ETCD_CA)) \
		$(if $(ETCD_CERT),--etcd-cert $(ETCD_CERT)) $(if $(ETCD_KEY),--etcd-key $(ETCD_KEY)) $(UP_FLAGS)

.PHONY: down
down: ## Stop the cluster; its data stays
	@if [ -x $(BIN)/keelson-local ]; then $(BIN)/keelson-local down --dir $(STATE) --bin $(BIN); \
	elif [ -d $(STATE)/run ]; then echo 'bin/keelson-local is gone: run `make build` first'; exit 1; else echo 'no cluster is up'; fi

.PHONY: load
load: ## Put an image archive on every node: make load TAR=image.tar
	@[ -n "$(TAR)" ] || { echo 'usage: make load TAR=image.tar'; exit 2; }
	@$(BIN)/keelson-local load --dir $(STATE) --bin $(BIN) $(TAR)

.PHONY: clean
clean: ## Stop the cluster and remove everything that was built or stored
	@if [ -d $(STATE)/run ]; then $(MAKE) --no-print-directory down; fi
	rm -rf $(BIN) $(STATE)

## ---- test -----------------------------------------------------------------------------------------------------------

.PHONY: test
test: test-unit test-e2e test-ecosystem ## Run every test: unit, component, end to end, Helm and operators (root)

.PHONY: test-unit
test-unit: ## Run the tests of each module by itself
	@for m in $(filter-out deploy/e2e deploy/ecosystem,$(MODULES)); do echo "== $$m"; (cd $$m && GOWORK=off go test -timeout 20m ./...); done

.PHONY: test-e2e
test-e2e: build kubectl $(BIN)/etcd ## Run the end-to-end tests on a three-node cluster (root)
	cd deploy/e2e && GOWORK=off KEELSON_BIN=$(BIN) go test -p 1 -count=1 -timeout 40m ./...

.PHONY: test-ecosystem
test-ecosystem: build kubectl $(HELM) ## Run Helm and an operator on controller-runtime on a cluster (root)
	cd deploy/ecosystem && GOWORK=off KEELSON_BIN=$(BIN) go test -count=1 -timeout 20m ./...

.PHONY: bench
bench: build ## Run the benchmarks and print ratios and figures (BENCH_FLAGS=--help lists what can be changed)
	cd deploy/bench && GOWORK=off go run . --bin $(BIN) $(BENCH_FLAGS)

## ---- verify ---------------------------------------------------------------------------------------------------------

.PHONY: verify
verify: verify-generate verify-proto verify-format verify-lint verify-deps ## Check generated code, protos, format, lint and module boundaries

.PHONY: fix
fix: generate fix-format fix-tidy ## Mend what `make verify` can mend

.PHONY: verify-generate
verify-generate: $(TOOLS)/.stamp ## Generated code is what the .proto files give
	@rm -rf $(BIN)/verify && mkdir -p $(BIN)/verify && cp -r proto $(BIN)/verify/
	@cd $(BIN)/verify/proto && PATH=$(TOOLS):$$PATH buf generate && $(TOOLS)/buf build -o schema/openapi/comments/api.binpb.gz
	@diff -r proto/gen $(BIN)/verify/proto/gen && cmp proto/schema/openapi/comments/api.binpb.gz $(BIN)/verify/proto/schema/openapi/comments/api.binpb.gz || { echo 'generated code is stale: run `make generate`'; exit 1; }
	@rm -rf $(BIN)/verify

.PHONY: verify-proto
verify-proto: $(TOOLS)/.stamp ## buf lint, and no breaking change against the committed descriptor
	cd proto && $(TOOLS)/buf lint && $(TOOLS)/buf breaking --against lock.binpb

.PHONY: fix-proto-lock
fix-proto-lock: $(TOOLS)/.stamp ## Accept the .proto files as the contract that later changes must not break
	cd proto && $(TOOLS)/buf build -o lock.binpb --exclude-source-info

.PHONY: verify-format
verify-format: ## gofmt
	@out=$$(gofmt -l $$(git ls-files '*.go' | grep -v '\.pb\.go$$')); [ -z "$$out" ] || { echo "gofmt would change:"; echo "$$out"; echo 'run `make fix`'; exit 1; }

.PHONY: fix-format
fix-format: ## gofmt -w
	@gofmt -w $$(git ls-files '*.go' | grep -v '\.pb\.go$$')

.PHONY: verify-lint
verify-lint: $(TOOLS)/.stamp ## Every module builds by itself and passes vet and staticcheck
	@for m in $(MODULES); do echo "lint $$m"; (cd $$m && GOWORK=off go build ./... && GOWORK=off go vet ./... && GOWORK=off $(TOOLS)/staticcheck ./...); done

.PHONY: fix-tidy
fix-tidy: ## go mod tidy in every module
	@for m in $(MODULES); do (cd $$m && GOWORK=off go mod tidy); done

.PHONY: verify-deps
verify-deps: ## Components import proto and no other component; only the API server's storage imports etcd
	@for c in $(COMPONENTS); do \
		bad=$$(cd $$c && GOWORK=off go list -deps ./... | grep '^github.com/keelson/keelson/' | grep -vE "^github.com/keelson/keelson/(proto|$$c)(/|$$)" || true); \
		[ -z "$$bad" ] || { echo "$$c imports another component: $$bad"; exit 1; }; done
	@bad=$$(cd apiserver && GOWORK=off go list -f '{{.ImportPath}} {{join .Imports " "}}' ./... | grep 'go.etcd.io' | grep -v '^github.com/keelson/keelson/apiserver/internal/storage/etcd' || true); \
		[ -z "$$bad" ] || { echo "etcd is imported outside apiserver/internal/storage/etcd: $$bad"; exit 1; }
	@for c in scheduler controller-manager kubelet proxy proto proto/sdk; do \
		bad=$$(cd $$c && GOWORK=off go list -deps ./... | grep '^go.etcd.io/' || true); [ -z "$$bad" ] || { echo "$$c imports etcd"; exit 1; }; done
