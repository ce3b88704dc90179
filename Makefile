# The commands of this repository; each is a script in scripts/. Variables given to
# make (`make token ORG=org_2`) reach it as its environment.

.DEFAULT_GOAL := help
.PHONY: help run up down test nightly build migrate demo token bench
.NOTPARALLEL:

help: ## Lists the commands
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | expand -t 10

run: build ## Starts everything with demo data, in the foreground until Ctrl-C
	@STACK_DEMO=1 exec scripts/stack run

up: build ## Starts everything with demo data, in the background
	@STACK_DEMO=1 exec scripts/stack up

down: ## Stops what `up` or a killed `run` left running
	@exec scripts/stack down

test: ## Proves it, from unit to end to end
	@exec scripts/test

nightly: ## The tests, and again under the address and thread sanitizers
	@exec scripts/nightly

build: ## Builds the release binary
	@scripts/install
	@exec scripts/build

migrate: ## Applies sql/ to DATABASE_URL (default: the private cluster)
	@scripts/install database
	@exec scripts/stack migrate

demo: ## Loads demo data into it; ORGANIZATIONS and PATIENTS set its size
	@scripts/install database
	@exec scripts/stack demo

token: ## Prints a development token for ORG, good for TOKEN_TTL seconds
	@exec scripts/token

bench: ## The benchmark
	@echo 'there is no benchmark yet' >&2; exit 1
