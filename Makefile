# The commands of this repository; each is a script in scripts/. Variables given to
# make (`make token ORG=org_2`) reach it as its environment.

.DEFAULT_GOAL := help
.PHONY: help run up down test lint test-sanitizers nightly build check-config compose-up compose-down images migrate demo verify rebuild token sbom load property mutants fuzz soak bench bench-scale bench-rls
.NOTPARALLEL:

help: ## Lists the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 13

run: build ## Starts everything with demo data, in the foreground until Ctrl-C
	@STACK_DEMO=1 exec scripts/stack run

up: build ## Starts everything with demo data, in the background
	@STACK_DEMO=1 exec scripts/stack up

down: ## Stops what `up` or a killed `run` left running
	@exec scripts/stack down

test: ## Proves it, from unit to end to end
	@exec scripts/test

lint: ## Checks the form of every file: Swift, Python, bash, SQL and documents
	@exec scripts/lint

test-sanitizers: ## The tests again under the address and the thread sanitizer
	@exec scripts/test-sanitizers

nightly: ## The tests, also on a busy machine, mutants, images, long property and fuzz runs, and again under sanitizers and valgrind
	@exec scripts/nightly

check-config: build ## Says what is wrong with this environment's variables, and starts nothing
	@exec "$${BUILD_DIR:-.build}/release/reengagement-api" --check-config

compose-up: ## The same as `up` in containers: builds, migrates and replaces what runs
	@exec scripts/containers up

compose-down: ## Stops the containers; their data stay in volumes
	@exec scripts/containers down

images: ## Builds the images of nginx/ on an engine of their own, and proves the containers
	@scripts/install images
	@exec scripts/images

build: ## Builds the release binary
	@scripts/install
	@scripts/build
	@scripts/docs >/dev/null || echo 'going on without /docs' >&2

migrate: ## Applies sql/ to DATABASE_URL (default: the private cluster)
	@scripts/install database
	@exec scripts/stack migrate

demo: ## Loads demo data into it; ORGANIZATIONS and PATIENTS set its size
	@scripts/install database
	@exec scripts/stack demo

verify: ## Compares the flat layer's answers and counters with the plain views
	@scripts/install database
	@exec scripts/stack verify

rebuild: ## Builds the flat layer's data anew, online; ORGANIZATION names a single one
	@scripts/install database
	@exec scripts/stack rebuild

token: ## Prints a development token for ORG, good for TOKEN_TTL seconds
	@exec scripts/token

sbom: build ## Prints what the product consists of, with versions and licences (CycloneDX)
	@exec scripts/sbom

load: ## wrk against a running stack with a user's mix of requests, and a table by route
	@exec bench/load/run

property: ## Flat against plain answers on random histories, for MINUTES, from SEED
	@scripts/install test
	@exec Tests/Property/run

mutants: ## Breaks the flat layer on purpose: the property test must notice each time
	@scripts/install test
	@exec Tests/Mutants/run

soak: ## Mixed load with faults at random, for MINUTES: is it flat, and is nothing lost?
	@scripts/install test
	@exec scripts/test soak

bench: ## The benchmark: answers a second and their cost, beside ceilings and alternatives
	@exec bench/http/run

fuzz: ## Feeds the parsers made-up inputs for MINUTES; SAVE=1 writes docs/bench/fuzz.md
	@scripts/install
	@exec Tests/Fuzz/run

bench-scale: ## What an answer costs as a clinic grows to PATIENTS
	@exec bench/scale/run

bench-rls: ## What row-level security costs risk-metrics; more than a tenth fails
	@exec bench/rls/run
