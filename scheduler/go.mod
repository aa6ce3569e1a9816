module github.com/keelson/keelson/scheduler

go 1.26.7

require (
	github.com/keelson/keelson/proto v0.0.0
	github.com/keelson/keelson/proto/sdk v0.0.0
)

require (
	github.com/google/uuid v1.6.0 // indirect
	github.com/prometheus/client_golang v1.25.0 // indirect
	github.com/spf13/pflag v1.1.0 // indirect
	go.uber.org/multierr v1.10.0 // indirect
	go.uber.org/zap v1.28.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	google.golang.org/protobuf v1.36.13-0.20261016172727-e9ee2a76ab8e // indirect
	k8s.io/apimachinery v0.37.2 // indirect
)

replace github.com/keelson/keelson/proto => ../proto

replace github.com/keelson/keelson/proto/sdk => ../proto/sdk
