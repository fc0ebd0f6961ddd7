.DEFAULT_GOAL := help
.PHONY: help test quick lint bench bench-peers prove findings servers servers-down demo picture screenshots

help: # list the targets
	@awk -F ': # ' '/^[a-z-]+: # / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: # install what is missing, check the code, run all tests on real servers, as the continuous integration does
	./scripts/test.sh

quick: # tests that need no server: the library, the contract, memory, SQLite, the documents
	go test . ./driver/... ./lease ./checkpointtest ./drivers/memory ./drivers/sqlite ./internal/test/docs

lint: # gofmt, go vet, staticcheck
	./scripts/test.sh --lint

bench: # compare the drivers with the bare clients, and write BENCHMARKS.md; BENCH='-only Redis -parts growth' a part
	./scripts/test.sh --install-only
	go test ./internal/test/bench -run TestWrite -write -timeout 120m -v $(BENCH)
	cd adapters/adk/bench && go test -run TestWrite -write -timeout 30m -v

bench-peers: # compare the library with Dapr, Go CDK and agents-persistence; BENCH='-against v0.1.0' with a revision of its own too
	./scripts/test.sh --install-only
	go test ./internal/test/peers -run TestWrite -write -timeout 60m -v $(BENCH)

prove: # the long forms of the proofs; PART=kill one of them
	./scripts/prove.sh $(PART)

findings: # run what is known of outside software again, with its packages from their registries
	@for f in findings/*.sh; do echo "== $$f"; $$f || exit 1; done

servers: # start Redis, PostgreSQL and DynamoDB Local by Docker, on this machine's loopback
	docker compose up --detach --wait

servers-down: # stop them, and forget what they hold
	docker compose down --volumes

demo: # an agent that is killed half-way goes on where it was
	go run ./cmd/checkpoint demo

picture: # docs/demo.svg: the first half of a real run of the demo
	go build -o $(or $(TMPDIR),/tmp)/checkpoint-picture ./cmd/checkpoint
	go run ./internal/cli/picture -until '3. ' docs/demo.svg $(or $(TMPDIR),/tmp)/checkpoint-picture demo
	rm $(or $(TMPDIR),/tmp)/checkpoint-picture

screenshots: # docs/ui-*.png: the page of "checkpoint ui" in a real run
	cd internal/test/browser && go test . -run 'TestPage/sqlite|TestReading' -screenshots ../../../docs
