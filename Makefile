# Every target readies just what it needs, then calls the real command; `python3 -m toolchain --help` tells the rest.
STACK ?= dev
FAULTS ?= thanos thanos_pair cortex_bucket compaction backup
WITH = python3 -m toolchain exec --for
# A busy machine can fail a test of real programs: it is tried once more, three at most, and told. Lost data is not.
AGAIN = --reruns 1 --max-suite-reruns 3 --rerun-show-tracebacks --rerun-except '(samples|silences|alerts|rows) (are )?(lost|missing)|is lost'

.PHONY: help ready up preview verify down destroy test e2e soak cluster check docs mutants bench format

help: ## List the targets
	@sed -n 's/^\([a-z0-9]*\):.*## /\1|/p' Makefile | awk -F'|' '{printf "%-9s%s\n", $$1, $$2}'

ready: ## Get this machine ready: programs, engine, images
	@python3 -m toolchain ready

up: ## Deploy STACK (default dev) and verify it
	@$(WITH) up -- sh -c 'pulumi stack select --create "$$1" && pulumi up --yes --stack "$$1" && exec ./observatory verify "$$1"' up $(STACK)

preview: ## Show what `make up STACK=...` would change
	@$(WITH) preview -- sh -c 'pulumi stack select --create "$$1" && exec pulumi preview --stack "$$1"' preview $(STACK)

verify: ## Check that the running STACK works from end to end
	@$(WITH) preview -- ./observatory verify $(STACK)

down: ## Stop and remove STACK's containers; its data stays
	@$(WITH) up -- ./observatory down $(STACK)

destroy: ## Remove STACK; asks before data goes
	@$(WITH) up -- ./observatory destroy $(STACK)

test: ## All tests that need no engine
	@$(WITH) test -- pytest -q -n 2 --dist loadfile tests --ignore=tests/e2e

e2e: ## Tests on a real engine
	@$(WITH) e2e -- pytest -q -n 2 --dist loadfile $(AGAIN) tests/e2e

soak: ## Faults at their full length: about an hour
	@$(WITH) e2e -- pytest -q -n 2 --dist loadfile --full-length $(FAULTS:%=tests/e2e/test_%.py)

cluster: ## Tests on a real Kubernetes node, made on this machine; needs root on Linux
	@$(WITH) cluster -- pytest -q tests/e2e/kubernetes/on_node

check: ## Format, lint, types, tests: what CI runs
	@$(WITH) test -- sh -c 'ruff format --check . && ruff check . && mypy . && python -m operations.guides.site && exec pytest -q -n 2 --dist loadfile tests --ignore=tests/e2e'

docs: ## Build the documents as a site: .observatory/site/html
	@$(WITH) test -- python -m operations.guides.site

mutants: ## Change each rule in small ways; tests have to notice 95 % of it
	@$(WITH) test -- python -m mutants

bench: ## Measure against an empty program and Docker Compose
	@$(WITH) bench -- python -m benchmarks

format: ## Format, and repair what the linter can
	@$(WITH) test -- sh -c 'ruff format . && exec ruff check --fix .'
