# Needs make and Python 3.10, 3.11 or 3.12; everything else comes from the package registry.
#
#   make demo    run the program on the example clip; the results are in out/demo
#   make test    lint, types, tests
#   make clean   remove the environment and what the other two made

CLIP := examples/sports2d_demo_short.mp4
ENV  := .venv
BIN  := $(ENV)/bin

.PHONY: demo test lint types clean help

help:
	@sed -n 's/^#   //p' Makefile

demo: $(ENV)/.installed
	@test -s $(CLIP) || { echo "$(CLIP) is missing: get the whole repository" >&2; exit 2; }
	@$(BIN)/eftvideo run $(CLIP) -o out/demo
	@echo "The bodies as arrays, and drawn into the clip, are in out/demo:"
	@ls -1 out/demo/*

test: lint types
	@$(BIN)/python -m pytest

lint: $(ENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(ENV)/.installed-dev
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python

# A stamp is as new as the last complete installation; pyproject.toml newer than it: install again.
$(ENV)/.installed: pyproject.toml tools/make_env.py
	@sh tools/with_python.sh tools/make_env.py $(ENV) .

$(ENV)/.installed-dev: pyproject.toml tools/make_env.py
	@sh tools/with_python.sh tools/make_env.py $(ENV) '.[dev]'

clean:
	rm -rf $(ENV) out build dist .pytest_cache .ruff_cache
	find eftvideo tests tools benchmarks research examples -name __pycache__ -prune -exec rm -rf {} +
