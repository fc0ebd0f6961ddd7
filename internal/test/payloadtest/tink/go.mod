module github.com/go-ckpt/checkpoint/internal/test/payloadtest/tink

go 1.26.0

require github.com/go-ckpt/checkpoint v0.0.0

require (
	github.com/tink-crypto/tink-go/v2 v2.9.0
	golang.org/x/crypto v0.53.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	google.golang.org/protobuf v1.36.11 // indirect
)

replace github.com/go-ckpt/checkpoint => ../../../..
