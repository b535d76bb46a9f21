# The book's commands. `make book` and `make test` do all the set-up there is.
.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
GROUPS_BOOK := setup book
GROUPS_TEST := $(GROUPS_BOOK) test oracles
# One thread each: chapters and tests already run side by side.
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1

.PHONY: help book pdf serve student class lab execute test lint site clean lock data studies bench drift

help:  ## say what each command does
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

book: .venv/.book  ## bring stale chapters up to date, build the site (POOL=your.yaml: pages of your own trials)
ifdef POOL
	@$(BIN)/python -m pooledbook.own "$(POOL)"
else
	$(BIN)/python -m pooledbook.chapters execute
	@$(MAKE) --no-print-directory site
endif

site: .venv/.book  ## build the site from the notebooks as they are
	$(BIN)/python -m pooledbook.site

pdf: .venv/.book  ## set the whole book as one PDF (installs XeTeX, about 500 MB, if it is missing)
	@.ci/system pdf
	$(BIN)/python -m pooledbook.pdf

student: .venv/.book  ## make the student edition: no solutions, exercise notebooks (WITHOUT=a_chapter)
	$(BIN)/python -m pooledbook.chapters execute
	$(BIN)/python -m pooledbook.teaching.student $(WITHOUT:%=--without %)

STUDENTS := 24
SEED := 1
class: .venv/.book  ## print the class experiment: a sheet a student, and the key (STUDENTS=24 SEED=1)
	$(BIN)/python -m pooledbook.teaching.handout --students $(STUDENTS) --seed $(SEED)

serve: book  ## build the site and serve it on this machine
	$(BIN)/python -m http.server --directory $(if $(POOL),_build/own,_build/html) 8000

lab: .venv/.lab  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab

execute: .venv/.book  ## execute every chapter, stale or not
	$(BIN)/python -m pooledbook.chapters execute --force

test: .venv/.test lint  ## check everything: style, types, chapters, library, site
	@.ci/system tests
	$(BIN)/mypy
	$(BIN)/python -m pooledbook.chapters check
	@$(MAKE) --no-print-directory site
	$(BIN)/pytest

lint: .venv/.test  ## check the style of every file of code
	$(BIN)/ruff check
	$(BIN)/ruff format --check

bench: .venv/.bench  ## time the library against its peers, as ratios (a few minutes)
	for script in tests/benchmarks/benchmark_*.py; do $(BIN)/python $$script || exit 1; done

data: .venv/.test  ## rebuild the shipped data from their sources
	$(BIN)/python data/help/build.py
	$(BIN)/python data/six/build.py

studies: .venv/.test  ## run the simulations whose tables the book ships (an hour or more)
	for script in data/studies/build_*.py; do $(BIN)/python $$script || exit 1; done

lock: .venv/.book  ## pin every dependency (UPGRADE=--upgrade: at its newest version)
	$(BIN)/uv pip compile pyproject.toml $(GROUPS_TEST:%=--group %) --group lab --group peers --universal \
	  --python-version 3.11 --generate-hashes --no-header --no-annotate $(UPGRADE) \
	  --quiet --output-file requirements.txt

drift: .venv/.book  ## run the chapters with the newest packages instead of the locked ones
	$(BIN)/python -m venv --clear _build/drift
	$(BIN)/uv pip install --python _build/drift/bin/python --quiet --requirement pyproject.toml \
	  $(GROUPS_BOOK:%=--group %) --editable .
	_build/drift/bin/python -m pooledbook.chapters check --execute

clean:  ## remove the environment and all that was built
	rm -rf .venv _build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.python:
	python=$$(.ci/system python) && test -x $(BIN)/python || $$python -m venv .venv
	@touch $@

.venv/.book: .venv/.python requirements.txt pyproject.toml
	.ci/install $(BIN)/python $(GROUPS_BOOK)
	@touch $@
.venv/.test: .venv/.python requirements.txt pyproject.toml
	.ci/install $(BIN)/python $(GROUPS_TEST)
	@touch $@
.venv/.bench: .venv/.python requirements.txt pyproject.toml
	.ci/install $(BIN)/python $(GROUPS_TEST) peers
	@touch $@
.venv/.lab: .venv/.python requirements.txt pyproject.toml
	.ci/install $(BIN)/python $(GROUPS_BOOK) lab
	@touch $@
