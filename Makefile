# Each command runs a script. Variables given to make (`make token ORG=org_2`) are in the script's environment.

.DEFAULT_GOAL := help
.PHONY: help run up down test lint test-sanitizers nightly build check-config compose-up compose-down images migrate demo verify rebuild token sbom load property mutants fuzz soak bench bench-scale bench-rls bench-live
.NOTPARALLEL:

help: ## Lists the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 13

run: build ## Starts everything with demo data, in the foreground until Ctrl-C
	@STACK_DEMO=1 exec scripts/stack run

up: build ## Starts everything with demo data, in the background
	@STACK_DEMO=1 exec scripts/stack up

down: ## Stops a stack that `up` or a killed `run` left running
	@exec scripts/stack down

test: ## Runs the tests that prove the product in minutes (NIGHTLY=1: all tests)
	@exec scripts/test

lint: ## Checks format and style of Swift, Python, bash, SQL and documents
	@exec scripts/lint

test-sanitizers: ## Runs the tests under the address and the thread sanitizer
	@exec scripts/test-sanitizers

nightly: ## Runs all tests, also on a busy machine, mutants, images, long property and fuzz runs, sanitizers and valgrind
	@exec scripts/nightly

check-config: build ## Reports errors in the environment's variables, and starts nothing
	@exec "$${BUILD_DIR:-.build}/release/reengagement-api" --check-config

compose-up: ## Starts everything in containers: builds, migrates and replaces those that run
	@exec scripts/containers up

compose-down: ## Stops the containers (their data stay in volumes)
	@exec scripts/containers down

images: ## Builds the images on a container engine of its own, and tests the containers
	@scripts/install images
	@exec scripts/images

build: ## Builds the release binary
	@scripts/install
	@scripts/build
	@scripts/docs >/dev/null || echo 'the page /docs is not available' >&2

migrate: ## Applies sql/ to DATABASE_URL (default: the private cluster)
	@scripts/install database
	@exec scripts/stack migrate

demo: ## Loads demo data into that database (ORGANIZATIONS and PATIENTS set the size)
	@scripts/install database
	@exec scripts/stack demo

verify: ## Compares the flat layer's results and counters with the plain views
	@scripts/install database
	@exec scripts/stack verify

rebuild: ## Rebuilds the flat layer's data online (ORGANIZATION: of one only)
	@scripts/install database
	@exec scripts/stack rebuild

token: ## Prints a development token for ORG, valid for TOKEN_TTL seconds
	@exec scripts/token

sbom: build ## Prints the software bill of materials (CycloneDX)
	@exec scripts/sbom

load: ## Runs wrk with a realistic mix of requests against a running stack
	@exec bench/load/run

property: ## Compares flat and plain results on random histories, for MINUTES, from SEED
	@scripts/install test
	@exec Tests/Property/run

mutants: ## Plants errors in the flat layer: the property test must find each
	@scripts/install test
	@exec Tests/Mutants/run

soak: ## Runs mixed load with random faults for MINUTES, and checks that nothing is lost
	@scripts/install test
	@exec scripts/test soak

bench: ## Measures requests per second and their cost, compared with alternatives
	@exec bench/http/run

fuzz: ## Fuzzes the parsers for MINUTES (SAVE=1 writes docs/bench/fuzz.md)
	@scripts/install
	@exec Tests/Fuzz/run

bench-scale: ## Measures the cost of a request as a clinic grows to PATIENTS
	@exec bench/scale/run

bench-rls: ## Measures the cost of row-level security (fails above a tenth)
	@exec bench/rls/run

bench-live: ## Measures live streams: the time from commit to client, and what idle ones cost
	@exec bench/live/run
