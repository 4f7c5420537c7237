module github.com/codeboltai/codebolt-providers/manifests

go 1.26.0
