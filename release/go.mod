module github.com/codeboltai/codebolt-providers/release

go 1.26.0

require (
	github.com/codeboltai/codebolt-providers/manifests v0.0.0
	github.com/codeboltai/codebolt-providers/shared v0.0.0
	github.com/goccy/go-yaml v1.19.2
	github.com/google/go-cmp v0.7.0
)

require (
	github.com/CycloneDX/cyclonedx-go v0.12.0
	golang.org/x/mod v0.43.0
)

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/go-viper/mapstructure/v2 v2.5.0 // indirect
	github.com/google/uuid v1.6.0 // indirect
)

replace github.com/codeboltai/codebolt-providers/shared => ../shared

replace github.com/codeboltai/codebolt-providers/manifests => ../manifests
