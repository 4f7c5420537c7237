module github.com/codeboltai/codebolt-providers/release

go 1.26.0

require golang.org/x/mod v0.43.0

replace github.com/codeboltai/codebolt-providers/shared => ../shared

replace github.com/codeboltai/codebolt-providers/manifests => ../manifests
