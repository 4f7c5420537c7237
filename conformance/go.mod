module github.com/codeboltai/codebolt-providers/conformance

go 1.26.0

require github.com/gorilla/websocket v1.5.3

replace github.com/codeboltai/codebolt-providers/shared => ../shared
