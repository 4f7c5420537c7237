module github.com/codeboltai/codebolt-providers/providers/local

go 1.26.0
