module github.com/codeboltai/codebolt-providers/providers/gitworktree

go 1.26.0
