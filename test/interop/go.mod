module github.com/forgeone/forgeone/test/interop

go 1.26.0

replace github.com/forgeone/forgeone => ../../

require (
	filippo.io/torchwood v0.9.0
	github.com/forgeone/forgeone v0.0.0
	golang.org/x/mod v0.42.0
)

require (
	filippo.io/mldsa v1.0.0 // indirect
	github.com/fxamacker/cbor/v2 v2.10.0 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	golang.org/x/crypto v0.57.0 // indirect
	golang.org/x/sync v0.19.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
