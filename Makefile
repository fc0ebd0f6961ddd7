.PHONY: test lint bench demo

test: # install what is missing, check the code, run all tests
	./scripts/test.sh

lint:
	./scripts/test.sh --lint

bench: # compare the drivers with the bare clients, and write BENCHMARKS.md; BENCH='-only Redis -parts growth' a part
	./scripts/test.sh --install-only
	go test ./internal/test/bench -run TestWrite -write -timeout 120m -v $(BENCH)

demo: # an agent that is killed half-way goes on where it was
	go run ./cmd/checkpoint demo
