module github.com/keelson/keelson/controller-manager

go 1.26.7

require (
	github.com/keelson/keelson/proto v0.0.0
	github.com/keelson/keelson/proto/sdk v0.0.0
)

replace github.com/keelson/keelson/proto => ../proto

replace github.com/keelson/keelson/proto/sdk => ../proto/sdk
