# Other names for `python3 do.py …`, for hands that type make. Nothing happens here.

PYTHON ?= python3

.DEFAULT_GOAL := help
.PHONY: help run test soak check journey migrate docs

help:     ## what there is
	@grep -hE '^[a-z]+: +##' Makefile | sed 's/: *## */\t/' | expand -t 12

run:      ## set up, start the platform at http://localhost:8000, play a tender, stay up
	@$(PYTHON) do.py run

test:     ## set up and run the tests
	@$(PYTHON) do.py test

soak:     ## the long tests
	@$(PYTHON) do.py soak

check:    ## format, lint, types, contracts, house rules, locks, secrets
	@$(PYTHON) do.py check

journey:  ## only the whole stories over HTTP
	@$(PYTHON) do.py test tests/journeys

migrate:  ## bring the database to the present shape
	@$(PYTHON) do.py sunbid migrate

docs:     ## regenerate the README's tables
	@$(PYTHON) do.py sunbid docs
