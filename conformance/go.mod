module github.com/codeboltai/codebolt-providers/conformance

go 1.26.0

require (
	github.com/codeboltai/codebolt-providers/shared v0.0.0-00010101000000-000000000000
	github.com/google/go-cmp v0.7.0
	github.com/gorilla/websocket v1.5.3
)

require golang.org/x/crypto v0.58.0 // indirect

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/go-viper/mapstructure/v2 v2.5.0 // indirect
	github.com/goccy/go-yaml v1.19.2
	github.com/google/uuid v1.6.0 // indirect
	golang.org/x/sys v0.49.0
)

replace github.com/codeboltai/codebolt-providers/shared => ../shared
