# Every target does its own set-up, into .venv. Works with GNU make 3.81 (macOS) and any POSIX shell.
# Another Python: make clean setup PYTHON=/path/to/python3.12

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bench clean

PYTHON ?=
BIN := .venv/bin
READY := .venv/.ready

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## make .venv with everything that is needed

demo: $(READY) ## transcode a clip, kill the worker half-way, watch it go on
	@$(BIN)/longtake demo

# What Python compiles it keeps, whatever the environment says: the processes that run the tests, and
# those that they start, would compile the same files each for itself.
test: lint ## lint, then every test, the slow ones and the kills too
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

lint: $(READY) ## ruff, mypy --strict, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(READY) ## put the code in order
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY) ## measure against bare FFmpeg, print the table
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt \
		--no-build-isolation -e '.[bench]'
	@$(BIN)/python -m bench

clean: ## remove .venv and everything that was built
	rm -rf .venv dist build bench/out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Takes the first Python that runs, has the right version and can make a venv. A name on the PATH
# proves nothing: version managers leave stubs that only fail. A .venv that works is kept. hatchling
# comes first, so that the build of the editable install is pinned like the rest. Compiled here,
# because where PYTHONDONTWRITEBYTECODE is set nothing else does it, and Temporal's sandbox imports
# the workflows anew for each job.
RIGHT_VERSION := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))

$(READY): pyproject.toml constraints.txt
	@python= ; lacks_venv= ; \
	for candidate in $(if $(PYTHON),"$(PYTHON)",$(BIN)/python python3.13 python3.12 python3.11 python3 python); do \
		"$$candidate" -c '$(RIGHT_VERSION)' >/dev/null 2>&1 || continue; \
		if "$$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; \
		then python=$$candidate; break; else lacks_venv=$${lacks_venv:-$$candidate}; fi; \
	done; \
	if [ -z "$$python" ] && [ -n "$$lacks_venv" ]; then \
		version=$$("$$lacks_venv" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		echo "Python $$version is here, but cannot make a virtual environment. Install its venv module:"; \
		echo "  Debian, Ubuntu:  sudo apt install python$$version-venv"; \
		echo "Then run make again."; exit 1; \
	elif [ -z "$$python" ]; then \
		if [ -n "$(PYTHON)" ]; then echo "$(PYTHON) is not a Python 3.11, 3.12 or 3.13 that runs."; \
		else echo "Longtake needs Python 3.11, 3.12 or 3.13, and found none that runs. Install one:"; fi; \
		echo "  Debian, Ubuntu:  sudo apt install python3 python3-venv"; \
		echo "  macOS:           brew install python@3.13"; \
		echo "  anywhere:        uv python install 3.13"; \
		echo "Then run make again, or name it: make setup PYTHON=/path/to/python3.13"; exit 1; \
	fi; \
	echo "Setting up .venv with $$("$$python" --version) (a minute or two, once)"; \
	{ [ "$$python" = $(BIN)/python ] || "$$python" -m venv --clear .venv; } && \
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt hatchling && \
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt \
		--no-build-isolation -e '.[worker,speech,dev]' && \
	$(BIN)/python -m compileall -q longtake workflows activities media storage workers && \
	touch $(READY)
