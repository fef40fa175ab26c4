module github.com/forgeone/forgeone/test/conformance

go 1.26.0

tool github.com/tetratelabs/wazero/cmd/wazero

require (
	github.com/tetratelabs/wazero v1.12.1-0.20260829084255-f4779551afb4 // indirect
	golang.org/x/sys v0.44.0 // indirect
)
