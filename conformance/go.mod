module github.com/codeboltai/codebolt-providers/conformance

go 1.26.0
