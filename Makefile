.PHONY: test lint bench demo

test: # install what is missing, check the code, run all tests
	./scripts/test.sh

lint:
	./scripts/test.sh --lint

bench:
	./scripts/test.sh --install-only
	go test -run '^$$' -bench . -benchmem ./...

demo: # an agent that is killed half-way goes on where it was
	go run ./cmd/checkpoint demo
