module github.com/codeboltai/codebolt-providers/cmd

go 1.26.0
