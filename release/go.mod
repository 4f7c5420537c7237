module github.com/codeboltai/codebolt-providers/release

go 1.26.0

require github.com/codeboltai/codebolt-providers/shared v0.0.0

require (
	github.com/CycloneDX/cyclonedx-go v0.12.0
	golang.org/x/mod v0.43.0
)

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
)

replace github.com/codeboltai/codebolt-providers/shared => ../shared

replace github.com/codeboltai/codebolt-providers/manifests => ../manifests
