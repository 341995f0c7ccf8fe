module evenkeel.dev/meter

go 1.26.0

require (
	github.com/go-json-experiment/json v1.27.2
	google.golang.org/protobuf v1.36.12
)
