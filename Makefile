.PHONY: help run test check bench netbench fuzz setup

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

run: ## build and run the server for this machine; ARGS="--http 127.0.0.1:9000" adds flags
	@scripts/setup-build.sh
	@cargo run --locked --release -- serve $(ARGS)

test: ## all tests, with real clients
	@scripts/test.sh

check: ## formatting, lints, documentation, licences, types
	@scripts/check.sh

bench: ## measure the server and print a table
	@scripts/bench.sh

netbench: ## calls over bad networks: freezes, lip sync, delay, speech quality
	@scripts/netbench.sh

fuzz: ## feed the parsers rubbish for a long time; ARGS goes to the harness
	@scripts/fuzz.sh $(ARGS)

setup: ## install what building and testing need, and nothing else
	@scripts/setup-build.sh
	@scripts/setup-tests.sh
