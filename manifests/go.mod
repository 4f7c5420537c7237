module github.com/codeboltai/codebolt-providers/manifests

go 1.26.0

require (
	github.com/codeboltai/codebolt-providers/shared v0.0.0
	github.com/goccy/go-yaml v1.19.2
	github.com/google/go-cmp v0.7.0
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3
)

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/go-viper/mapstructure/v2 v2.5.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
	golang.org/x/text v0.14.0 // indirect
)

replace github.com/codeboltai/codebolt-providers/shared => ../shared
