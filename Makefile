# One virtual environment, .venv, in two steps: the core is enough for `make demo`, the rest is added for the workshop.
# Every package is pinned with its hashes in requirements/; `make lock` makes these files again.

VENV    := .venv
BIN     := $(VENV)/bin
QUIET   := --disable-pip-version-check --no-input -qq
PIP     := $(BIN)/python -m pip $(QUIET)
# What would be built would be built with the newest tools there are. Only the workshop needs packages that come as source (PySpark), and
# builds them with what requirements/build.txt pins: --no-build-isolation.
BUILT   := --only-binary=:all:
# Three on two processors: some tests wait for emulators, while others compute.
WORKERS ?= 3
# How much is tried: runs of `make simulate`, keys of `make keys`, items of `make cluster` (each has its own default), and the first one's number.
N       ?=
SEED    ?= 1
# Rounds of `make aws-torture`.
ROUNDS  ?= 200
# Rounds of `make kill` for each named step and at random moments; processes and files of `make crowd`.
TIMES   ?= 20
RANDOM  ?= 500
PROCESSES ?= 50
FILES   ?= 1000
# Parts of `make mutants`, all unless named; seconds for each target of `make fuzz`.
PARTS   ?=
SECONDS ?= 3600
# A folder of terraform's providers for `make terraform`, where its registry cannot be reached.
PLUGINS ?=
# How many times as much as they name the tests of many examples try in `make deep`; `make test` tries a part of that. tests/test_workshop.py
# holds the list against the tests.
DEPTH   ?= 10
OF_EXAMPLES := tests/contracts/test_damage.py tests/histories tests/kpi_engine/test_engines_agree.py \
  tests/kpi_engine/test_executors.py tests/mutation tests/pipeline/test_source_rows.py tests/pipeline/test_sources.py \
  tests/reliability tests/simulation/test_simulation.py tests/stages/test_time_zones.py tests/test_profile_sql.py tests/valid tests/validation \
  tests/validation_engine tests/web/test_schema.py
# Tests make thousands of small stores. In memory, where the system has room for them, they need not wait for a disk.
MEMORY  := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4194304 { print "/dev/shm" }')
IN_MEMORY := made=$$(TMPDIR="$${TMPDIR:-$(MEMORY)}" mktemp -d -t takings-tests.XXXXXX) && export TMPDIR=$$made &&
# What users judge first: these parts are covered by 95 % and more, branches included; the rest by 90 %.
PROVEN  := src/takings/validation/*,src/takings/kpis/*,src/takings/contracts/*,src/takings/adapters/duckdb/validation.py,src/takings/adapters/duckdb/validation_together.py,src/takings/adapters/duckdb/rules.py,src/takings/adapters/duckdb/typing.py,src/takings/adapters/duckdb/sql.py,src/takings/adapters/pandas/*

# The newest Python from 3.11 on that can make a virtual environment; `make PYTHON=/path/to/python` names another.
FITS    := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON  ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
             if $$p -c '$(FITS)' >/dev/null 2>&1; then echo $$p; break; fi; done)

.DEFAULT_GOAL := help
.PHONY: help demo test coverage deep check format security lock asked oracle simulate kill crowd keys mutants fuzz cluster services lambdas spark images deployer terraform aws-torture calls costs page site screenshots package tried release clean
.PHONY: bench bench-guard bench-growth bench-structure bench-validation bench-small-batches bench-layout bench-watch bench-api bench-many-files bench-endurance bench-startup bench-spark

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-19s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.core ## make a sample shop and take it through the pipeline (DIR=folder)
	$(BIN)/takings demo $(DIR)

page: $(VENV)/.web ## open a store's page, the demo's unless named (DIR=folder)
	$(BIN)/takings serve $(or $(DIR),demo-shop)

# Material's build ends with a note about MkDocs 2 that is no warning about our pages.
site: $(VENV)/.core $(VENV)-site/.done ## build the site of the docs into build/site; a warning or a broken link is an error
	$(BIN)/python -m tools.commands --write
	$(BIN)/python -m tools.site build/pages
	NO_MKDOCS_2_WARNING=1 $(VENV)-site/bin/mkdocs build --strict

TESTS = $(IN_MEMORY) MINISTACK=$(abspath $(VENV)-ministack/bin/ministack) $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

test: $(VENV)/.dev $(VENV)-ministack/.done ## run every test on WORKERS=3 processes
	$(TESTS) && rm -rf "$$made"

# Counting lines takes a third more time.
coverage: $(VENV)/.dev $(VENV)-ministack/.done ## run every test, and fail if too few lines are covered
	$(TESTS) --cov --cov-report=term && rm -rf "$$made"
	@$(BIN)/coverage report --format=total --include='$(PROVEN)' --fail-under=95 >/dev/null || \
	  { echo "make coverage: rules, scan and KPIs ($(PROVEN)) are covered by less than 95 %" >&2; exit 2; }

deep: $(VENV)/.dev ## try many more histories, damaged files and other examples than `make test` does (DEPTH=10)
	$(IN_MEMORY) DEPTH=$(DEPTH) $(BIN)/python -m pytest -n $(WORKERS) $(OF_EXAMPLES) && rm -rf "$$made"

check: $(VENV)/.dev ## check form, types and architecture; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tools.lint_state_machine
	$(BIN)/hadolint validation-service/Dockerfile transformation-service/Dockerfile packaging/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --quiet .github/workflows

# Nothing is fetched while they look: checkov's own rules are enough.
CHECKOV = $(VENV)-security/bin/checkov --quiet --compact --skip-download

security: $(VENV)-security/.done ## look for weak spots in code, images, workflows and Terraform
	$(VENV)-security/bin/bandit --quiet --recursive --configfile pyproject.toml src tools
	$(CHECKOV) --framework dockerfile --file validation-service/Dockerfile transformation-service/Dockerfile packaging/Dockerfile
	$(CHECKOV) --framework github_actions --directory .
	$(CHECKOV) --framework terraform --directory infra/terraform
	$(VENV)-security/bin/actionlint .github/workflows/*.yml

format: $(VENV)/.dev ## bring the code into form
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

package: $(VENV)/.core ## build wheel and sdist into dist, the same bytes each time, and run the wheel's demo in an empty environment
	$(BIN)/python -m tools.build_package dist --installed build/installed

# The part that needs every engine, and neither AWS, a browser nor Spark.
TRIED   := tests/stages tests/contracts tests/golden tests/pipeline tests/validation_engine tests/installs/test_package.py
RESOLUTION ?= highest
UV_TRIED = VIRTUAL_ENV=build/tried $(VENV)-lock/bin/uv pip install --quiet

tried: $(VENV)-lock/.done ## run the demo and a part of the tests with the newest or lowest dependencies (RESOLUTION=highest, lowest-direct)
	$(VENV)-lock/bin/uv venv --quiet --clear --python "$(PYTHON)" build/tried
	$(UV_TRIED) --only-binary=:all: --no-binary takings --resolution $(RESOLUTION) '.[aws,pandas,web]'
	$(UV_TRIED) --group test hatchling
	build/tried/bin/takings demo build/tried/demo-shop
	build/tried/bin/python -m pytest -q -p no:cacheprovider -n $(WORKERS) $(TRIED)

release: $(VENV)/.core ## check that TAG, version and changelog agree; write build/release-notes.md
	@test -n "$(TAG)" || { echo "make release: which tag? Say make release TAG=v1.2.3" >&2; exit 2; }
	$(BIN)/python -m tools.release "$(TAG)" build/release-notes.md

lambdas: $(VENV)/.core ## build the functions for AWS into build/lambdas, the same bytes each time
	$(BIN)/python -m tools.build_lambdas build/lambdas

spark: $(VENV)/.core ## build the package of jobs on EMR Serverless into build/spark, the same bytes each time (RUNTIME=folder of a Python)
	$(BIN)/python -m tools.build_spark build/spark $(if $(RUNTIME),--runtime "$(RUNTIME)")

images: $(VENV)/.core ## build both images as SERVICE:TAG with docker or podman (TAG=latest, ENGINE=command, BASE=image, SAVE=folder)
	@$(BIN)/python -m tools.build_images --tag "$(or $(TAG),latest)" $(if $(ENGINE),--engine "$(ENGINE)") $(if $(BASE),--base "$(BASE)") \
	  $(if $(SAVE),--save "$(SAVE)")

deployer: $(VENV)/.core ## install what `takings aws deploy` needs, from pinned wheels only: nothing is built, and no test is installed
	@$(PIP) install --require-hashes $(BUILT) -r validation-service/image.txt

terraform: $(VENV)/.dev $(VENV)-ministack/.done ## apply infra/terraform to an emulated AWS, compare it with `takings aws bootstrap`; needs terraform
	MINISTACK=$(abspath $(VENV)-ministack/bin/ministack) $(BIN)/python -m tests.terraform $(if $(PLUGINS),--plugins $(abspath $(PLUGINS)))

costs: $(VENV)/.dev ## estimate what a pipeline costs on AWS a month (docs/costs.md)
	$(BIN)/python -m tools.costs

oracle: $(VENV)/.dev ## compute a store's KPIs a second, slow and simple way (STORE=folder)
	@test -n "$(STORE)" || { echo "make oracle: which store? Say make oracle STORE=folder" >&2; exit 2; }
	$(BIN)/python -m tests.oracle "$(STORE)"

simulate: $(VENV)/.dev ## kill, pause and repeat everything in N=10000 seeded runs from SEED=1 on, WORKERS=3 at a time
	WORKERS=$(WORKERS) $(BIN)/python -m tests.simulation $(or $(N),10000) $(SEED)

kill: $(VENV)/.dev ## kill real processes TIMES=20 times at every step and at RANDOM=500 moments, and let others go on
	WORKERS=$(WORKERS) $(BIN)/python -m tests.reliability.kill --times $(TIMES) --random $(RANDOM) --seed $(SEED)

crowd: $(VENV)/.dev ## let PROCESSES=50 work on one store while FILES=1000 are dropped
	$(BIN)/python -m tests.reliability.crowd --processes $(PROCESSES) --files $(FILES) --seed $(SEED)

aws-torture: $(VENV)/.dev $(VENV)-ministack/.done ## kill tasks and spoil events on an emulated AWS in ROUNDS=200 rounds with FILES=1000 files in all
	$(IN_MEMORY) MINISTACK=$(abspath $(VENV)-ministack/bin/ministack) $(BIN)/python -m tests.aws.harness.torture \
	  --rounds $(ROUNDS) --files $(FILES) --seed $(SEED) && rm -rf "$$made"

calls: $(VENV)/.dev $(VENV)-ministack/.done ## record tests/aws/harness/calls.json again: the calls of each role to AWS
	$(IN_MEMORY) export CALLS="$$made/calls" && mkdir "$$CALLS" && MINISTACK=$(abspath $(VENV)-ministack/bin/ministack) \
	  $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(wildcard tests/aws/end_to_end/test_end_to_end*.py) tests/aws/end_to_end/test_walk_through.py && \
	  $(BIN)/python -m tests.aws.harness.calls "$$CALLS" && rm -rf "$$made"

keys: $(VENV)/.dev ## try N=100000 generated keys, and files, links and pipes with such names
	$(BIN)/python -m tests.reliability.keys --number $(or $(N),100000) --seed $(SEED)

mutants: $(VENV)-mutants/.done ## change each decision in one place at a time, and see whether tests notice; takes hours (PARTS=names)
	$(IN_MEMORY) PYTHONPATH=src $(VENV)-mutants/bin/python -m tests.mutants $(PARTS) && rm -rf "$$made"

fuzz: $(VENV)-fuzz/.done ## let coverage lead damaged input through scan, mappings and contract loader, SECONDS=3600 each; Linux only
	for target in structure mappings loader; do \
	  PYTHONPATH=src $(VENV)-fuzz/bin/python -m tests.fuzz $$target --seconds $(SECONDS) --seed $(SEED) --corpus build/fuzz || exit; done

cluster: $(VENV)/.dev ## let a real Spark cluster of this machine do all that DuckDB does, with N=1000000 items, while its processes are killed (ARGS=options)
	$(BIN)/python -m tests.cluster --items $(or $(N),1000000) $(ARGS)

services: $(VENV)/.dev ## install each container service as its Dockerfile does, and run its ENTRYPOINT and tests there
	$(BIN)/python -m tests.services

screenshots: $(VENV)/.dev ## take pictures of every page in build/screenshots, at three widths in both themes; needs chromium
	$(BIN)/python -m tests.web.screenshots build/screenshots

bench: $(VENV)/.dev $(VENV)-bench/.done ## measure Takings beside floors and other tools (docs/performance.md); takes hours (ARGS=options)
	$(BIN)/python -m benchmarks.bench $(ARGS)

bench-guard: $(VENV)/.core ## fail when a step takes half as much again beside its floor as recorded (ARGS=--record: record)
	$(IN_MEMORY) $(BIN)/python -m benchmarks.guard $(ARGS) && rm -rf "$$made"

bench-growth: $(VENV)/.dev ## measure how cost grows with rows, days, files and history (ARGS=options)
	$(BIN)/python -m benchmarks.growth $(ARGS)

bench-structure: $(VENV)/.dev ## measure the scan of a CSV file's structure
	$(BIN)/python benchmarks/structure.py

bench-validation: $(VENV)/.dev ## measure scan and typed validation against a bare DuckDB parse
	$(BIN)/python benchmarks/validation.py

bench-small-batches: $(VENV)/.dev ## measure what a small batch costs after many others (ARGS=options)
	$(BIN)/python benchmarks/small_batches.py $(ARGS)

bench-layout: $(VENV)/.dev ## measure merges into long histories, by day and by month (ARGS=options)
	$(BIN)/python benchmarks/layout.py $(ARGS)

bench-startup: $(VENV)/.dev ## measure short commands beside `import duckdb`, and a status over 100,000 files (ARGS=options)
	$(BIN)/python benchmarks/startup.py $(ARGS)

bench-watch: $(VENV)/.dev ## measure how soon a watch publishes ten small files (ARGS=options)
	$(BIN)/python benchmarks/watch.py $(ARGS)

bench-many-files: $(VENV)/.dev ## measure a look at 100,000 files of one row, and the run over them (ARGS=options)
	$(BIN)/python benchmarks/many_files.py $(ARGS)

bench-endurance: $(VENV)/.dev ## measure memory, open files and time of a watch over 5,000 batches (ARGS=options)
	$(BIN)/python benchmarks/endurance.py $(ARGS)

bench-api: $(VENV)/.dev ## measure how soon the KPI API answers while a batch runs (ARGS=options)
	$(BIN)/python benchmarks/api.py $(ARGS)

bench-spark: $(VENV)/.dev ## measure what a Spark cluster of this machine costs beside DuckDB, and its driver's memory (ARGS=options)
	$(BIN)/python -m benchmarks.spark $(ARGS)

# Pins stay as they are as long as they fit. What suits Python 3.11, the oldest supported, is taken for all. A pin names its
# extras: with hashes, pip takes `coverage==1` for no answer to `coverage[toml]` once a newer release exists (pypa/pip#9644).
COMPILE = $(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest $(UPGRADE) \
	--no-strip-extras --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links

lock: $(VENV)-lock/.done ## pin the requirements again after a change in pyproject.toml (UPGRADE=--upgrade: the newest)
	$(COMPILE) pyproject.toml -o requirements/core.txt
	$(COMPILE) pyproject.toml --extra aws --extra notify --extra openlineage --extra pandas --extra spark --extra web --group dev \
	  --constraint requirements/core.txt -o requirements/dev.txt
	$(COMPILE) pyproject.toml --extra web --constraint requirements/dev.txt -o requirements/web.txt
	$(COMPILE) --group test --constraint requirements/dev.txt -o requirements/test.txt
	$(COMPILE) pyproject.toml --extra aws --extra pandas --constraint requirements/dev.txt -o validation-service/image.txt
	$(COMPILE) pyproject.toml --extra aws --extra spark --constraint requirements/dev.txt -o transformation-service/image.txt
	$(COMPILE) --group functions --constraint requirements/dev.txt -o requirements/functions.txt
	$(COMPILE) --group build --constraint requirements/dev.txt -o requirements/build.txt
	$(COMPILE) --group lock -o requirements/lock.txt
	$(COMPILE) --group ministack -o requirements/ministack.txt
	$(COMPILE) --group security -o requirements/security.txt
	$(COMPILE) --group bench --constraint requirements/dev.txt -o requirements/bench.txt
	$(COMPILE) --group site -o requirements/site.txt
	$(COMPILE) pyproject.toml --extra pandas --group mutants --constraint requirements/dev.txt -o requirements/mutants.txt
	$(COMPILE) pyproject.toml --extra pandas --group fuzz --constraint requirements/dev.txt -o requirements/fuzz.txt
	$(MAKE) asked

asked: $(VENV)/.dev $(VENV)-ministack/.done $(VENV)-lock/.done $(VENV)-security/.done $(VENV)-bench/.done $(VENV)-site/.done $(VENV)-mutants/.done $(VENV)-fuzz/.done ## write tests/installs/asked.json: what each pinned package asks for (part of `make lock`)
	$(BIN)/python -m tests.installs $(VENV) $(VENV)-ministack $(VENV)-lock $(VENV)-security $(VENV)-bench $(VENV)-site $(VENV)-mutants $(VENV)-fuzz

clean: ## remove what was made: environments, caches, builds and the demo's shop
	rm -rf $(VENV) $(VENV)-bench $(VENV)-fuzz $(VENV)-lock $(VENV)-ministack $(VENV)-mutants $(VENV)-security $(VENV)-site build dist htmlcov demo-shop
	rm -rf .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

NO_PYTHON := Takings needs Python 3.11 or newer with the venv module. Install one, or name it: make PYTHON=/path/to/python

$(VENV)/.made $(VENV)-bench/.made $(VENV)-fuzz/.made $(VENV)-lock/.made $(VENV)-ministack/.made $(VENV)-mutants/.made $(VENV)-security/.made $(VENV)-site/.made:
	@"$(PYTHON)" -c '$(FITS)' 2>/dev/null || { echo "$(NO_PYTHON)" >&2; exit 1; }
	@echo "Making $(@D) with $(PYTHON)"
	@"$(PYTHON)" -m venv --clear $(@D)
	@touch $@

$(VENV)/.core: $(VENV)/.made requirements/build.txt requirements/core.txt pyproject.toml src/takings/__init__.py
	@echo "Installing Takings"
	@$(PIP) install --require-hashes $(BUILT) -r requirements/build.txt -r requirements/core.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.web: $(VENV)/.core requirements/web.txt
	@echo "Installing what the page needs"
	@$(PIP) install --require-hashes $(BUILT) -r requirements/web.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.core requirements/dev.txt
	@echo "Installing the workshop"
	@$(PIP) install --require-hashes --no-build-isolation -r requirements/dev.txt
	@touch $@

$(VENV)-bench/.done $(VENV)-fuzz/.done $(VENV)-lock/.done $(VENV)-ministack/.done $(VENV)-mutants/.done $(VENV)-security/.done $(VENV)-site/.done: $(VENV)-%/.done: $(VENV)-%/.made requirements/%.txt
	@$(@D)/bin/python -m pip $(QUIET) install --require-hashes $(BUILT) -r requirements/$*.txt
	@touch $@
