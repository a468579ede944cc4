# `make demo` and `make test` set up everything they need: CPython 3.11 to 3.14 and
# git are enough. PYTHON=/path/to/python3.12 chooses the interpreter.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.NOTPARALLEL:
.DEFAULT_GOAL := help

PYTHON ?=
ARGS ?=
WASMTIME_MAJORS := 48 49 50
# The oldest in range; the constraints have the newest.
OLDEST_TRIO := 0.30

STARTED := $(shell date +%s)
BIN := .venv/bin
SOURCES := airssys airssys_command.py pytest_airssys.py .ci docs/conf.py $(wildcard tests examples perf)
TYPED := airssys airssys_command.py pytest_airssys.py .ci docs/conf.py $(wildcard tests/typing/*.py examples/*.py examples/*/*.py)
# Not the checkout's airssys, but the one in site-packages; tests/project checks it.
INSTALLED := PYTHONSAFEPATH=1 AIRSSYS_TEST_INSTALLED=1
WHEEL := .venv-wheel/bin/python

export PYTHON
export CONSTRAINTS := $(CURDIR)/requirements/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export COVERAGE_FILE := $(CURDIR)/.build/coverage/data

.PHONY: help demo test test-slow test-stressed pytest-slow pytest-other-lane soak lint ruff-format ruff flake8 mypy pyright imports english
.PHONY: format wheel pytest pytest-covered examples docs perf perf-quick suites mutants venv venv-demo clean
.PHONY: constraints constraints-add fuzz

help:
	@echo "make demo        run the word count example (ARGS=... are passed on)"
	@echo "make test        the whole gate: lint, tests with coverage from the built wheel, examples"
	@echo "make test-slow   every test, on both lanes, the soak, fuzzing, then tests/wasm on wasmtime $(WASMTIME_MAJORS), the rest on Trio $(OLDEST_TRIO)"
	@echo "make test-stressed   make test three times beside six busy loops, each within 15 minutes"
	@echo "make lint        only ruff-format, ruff, flake8, mypy, pyright, imports, english; each is a target too"
	@echo "make pytest      only the tests, from the built wheel (ARGS='-k broker' are passed on)"
	@echo "make docs        the documentation, in .build/docs (warnings are errors)"
	@echo "make examples    only the examples, with the built wheel"
	@echo "make format      format the code and apply the fixes of ruff"
	@echo "make perf        show what can be run in perf/"
	@echo "make perf-quick  run its suite and compare the ratios with those committed"
	@echo "make suites      the component model's suites (SUITES=its checkout; ARGS='linking/ --lane own')"
	@echo "make mutants     change the deciding modules line by line: does a test fail? (ARGS=_backoff)"
	@echo "make fuzz        any bytes as manifests, patterns and arguments of host functions (ARGS='--seconds 600')"
	@echo "make clean       remove everything that make created"

# ---------------------------------------------------------------- set-up

# .ci/venv does nothing while requirements and constraints are what they were.
venv-demo:
	@.ci/venv .venv --group build
	@.ci/venv .venv --no-build-isolation --editable '.[guests]'

venv: venv-demo
	@.ci/venv .venv --group dev

# The stages of `make test` share the one it built (BUILT): tests import it while others begin.
ifdef BUILT
wheel: venv
else
wheel: venv
	@.ci/venv .venv-wheel --group tests
	@rm -rf .build/wheel
	@.ci/stage "build the wheel" $(BIN)/python -m pip wheel -qq --no-deps --no-build-isolation -w .build/wheel .
	@.ci/install-wheel .venv-wheel
endif

# Pins for all groups and extras: from nothing with `make constraints`, then add what
# other Pythons need besides with `make constraints-add PYTHON=python3.13`.
constraints:
	@: > '$(CONSTRAINTS)'
	@$(MAKE) constraints-add

constraints-add:
	@.ci/venv .venv-constraints --group dev
	@.venv-constraints/bin/python -m pip install -qq --constraint '$(CONSTRAINTS)' '.[guests]'
	@.venv-constraints/bin/python -m pip freeze --all --exclude airssys --exclude setuptools \
	  | LC_ALL=C sort -fu -o '$(CONSTRAINTS)' - '$(CONSTRAINTS)'
	@rm -rf .venv-constraints

# ---------------------------------------------------------------- the gate

# Static checks and examples run beside the tests; their output comes after that of the tests.
test: wheel
	@mkdir -p .build
	@$(MAKE) BUILT=yes lint docs examples > .build/lint.log 2>&1 & reading=$$!; \
	  failed=0; $(MAKE) BUILT=yes pytest-covered || failed=1; \
	  wait $$reading || failed=1; cat .build/lint.log; exit $$failed
	@echo "[airssys] all stages passed in $$(( $$(date +%s) - $(STARTED) )) s, set-up included"
	@grep -E '^=+ .* in [0-9.]+s' .build/pytest.log | tail -n 1

# Shows which tests depend on the speed of the machine: ARGS='--loops 12 --times 1'.
test-stressed: wheel
	@$(BIN)/python .ci/stressed.py $(ARGS) $(MAKE) test

lint: ruff-format ruff flake8 mypy pyright imports english

ruff-format: venv
	@.ci/stage "ruff format" $(BIN)/ruff format --check --quiet $(SOURCES)

ruff: venv
	@.ci/stage "ruff check" $(BIN)/ruff check --quiet $(SOURCES)

# Without the tests: they do on purpose what it warns about, and checking them takes two minutes.
flake8: venv
	@.ci/stage "flake8-async" .ci/check_async airssys $(wildcard examples)

mypy: venv
	@.ci/stage "mypy" $(BIN)/mypy --no-error-summary $(TYPED)

# What a user's editor says of what airssys offers: Pylance is pyright, and so is this.
pyright: venv
	@.ci/stage "pyright" $(BIN)/basedpyright

imports: venv
	@.ci/stage "import contracts" $(BIN)/lint-imports --no-logo

english: venv
	@.ci/stage "plain English" $(BIN)/python .ci/check_english.py

pytest-covered: wheel
	@rm -rf .build/coverage && mkdir -p .build/coverage
	@$(INSTALLED) .ci/stage "pytest" $(WHEEL) .ci/run_tests.py $(WHEEL) -m coverage run -m pytest | tee .build/pytest.log
	@$(WHEEL) -m coverage combine --quiet
	@.ci/stage "branch coverage" $(WHEEL) -m coverage report

pytest: wheel
	@$(INSTALLED) $(WHEEL) -m pytest $(ARGS)

examples: wheel
	@.ci/stage "examples" $(WHEEL) .ci/run_examples.py

docs: venv
	@.ci/stage "docs" $(BIN)/python -m sphinx -W --keep-going -q -E -b html docs .build/docs

# ---------------------------------------------------------------- beside the gate

demo: venv-demo
	@[ -e examples/word_count ] || { echo "[airssys] examples/word_count is not there yet"; exit 1; }
	@$(BIN)/python examples/word_count $(ARGS)

format: venv
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)

pytest-slow: wheel
	@$(INSTALLED) .ci/stage "pytest --run-slow" $(WHEEL) -m pytest --run-slow $(ARGS)

# What depends on how guests are run, on the lane that is not the default.
pytest-other-lane: wheel
	@$(INSTALLED) .ci/stage "pytest --lane wasmtime" $(WHEEL) -m pytest --run-slow --lane wasmtime tests/wasm tests/system tests/building tests/examples

test-wasmtime-%: wheel
	@grep -v '^wasmtime==' '$(CONSTRAINTS)' > .build/constraints-$*.txt
	@echo 'wasmtime==$*.*' >> .build/constraints-$*.txt
	@CONSTRAINTS=.build/constraints-$*.txt .ci/venv .venv-wasmtime-$* --group tests
	@CONSTRAINTS=.build/constraints-$*.txt .ci/install-wheel .venv-wasmtime-$*
	@$(INSTALLED) .ci/stage "tests/wasm on wasmtime $*" .venv-wasmtime-$*/bin/python -m pytest --run-slow tests/wasm

test-trio-%: wheel
	@grep -v '^trio==' '$(CONSTRAINTS)' > .build/constraints-trio-$*.txt
	@echo 'trio==$*.*' >> .build/constraints-trio-$*.txt
	@CONSTRAINTS=.build/constraints-trio-$*.txt .ci/venv .venv-trio-$* --group tests
	@CONSTRAINTS=.build/constraints-trio-$*.txt .ci/install-wheel .venv-trio-$*
	@$(INSTALLED) .ci/stage "tests on Trio $*" .venv-trio-$*/bin/python -m pytest tests/nursery tests/messaging tests/typed tests/system tests/testing tests/security

# Takes minutes: millions of messages, all accounted for, memory flat.
soak: wheel
	@.ci/stage "soak" $(WHEEL) perf/soak.py

test-slow: pytest-slow pytest-other-lane soak fuzz $(WASMTIME_MAJORS:%=test-wasmtime-%) test-trio-$(OLDEST_TRIO)

perf: venv
	@$(BIN)/python .ci/list_perf.py

# Every case of the suite, few times each, against the committed ratios: 3 minutes on a quiet
# machine. Exits with 1 if one fell beyond its noise, with 3 if the machine was too noisy.
perf-quick: venv
	@.ci/stage "perf" $(BIN)/python -m perf run --quick --guard $(ARGS)

# The component model's own tests, which are not part of this repository.
suites: venv
	@test -n '$(SUITES)' || { echo "make suites SUITES=CHECKOUT of WebAssembly/component-model"; exit 2; }
	@PYTHONPATH=.:tests:tests/support $(BIN)/python -m suites '$(SUITES)' $(ARGS)

# Each mutant is tried in memory, by a separate process; the checkout is not changed.
mutants:
	@.ci/venv .venv-mutants --group mutants
	@.ci/venv .venv-mutants --no-build-isolation --editable .
	@.venv-mutants/bin/python .ci/mutants.py $(ARGS)

# Manifests, patterns and the host boundary, with coverage as the guide where that goes.
fuzz:
	@.ci/venv .venv-fuzz --group fuzz
	@.ci/venv .venv-fuzz --no-build-isolation --editable .
	@.ci/stage "fuzz" .venv-fuzz/bin/python .ci/fuzz.py $(ARGS)

clean:
	rm -rf .venv .venv-* .build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
