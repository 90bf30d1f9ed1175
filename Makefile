# Everything that one does with a checkout. A machine needs Python 3.11 and make, nothing else.

# Debian packages that tests use besides what comes from wheels.
TEST_PACKAGES := nginx caddy postgresql chromium rabbitmq-server age zstd pgbouncer
# Node comes from elsewhere on some machines, and Debian's npm conflicts with theirs.
TEST_PACKAGES += $(if $(shell command -v npm),,nodejs npm)

VENV := .venv
READY := $(VENV)/.insula-ready
UV := .ci/uv

.DEFAULT_GOAL := help
.PHONY: help setup run test check fmt bench

help:
	@echo "make run     start everything: PostgreSQL, Redis, web (Ctrl-C stops it)"
	@echo "make test    run all tests"
	@echo "make check   format, lint, types, import contracts"
	@echo "make fmt     format, and fix what can be fixed"
	@echo "make bench   run the benchmarks, which write ops/bench/RESULTS.md"
	@echo "make setup   only install what the others need, into $(VENV)"

setup: $(READY)

# Installed anew whenever a project file or the lock file changes.
$(READY): pyproject.toml uv.lock $(wildcard */pyproject.toml)
	@echo "Installing what Insula needs into $(VENV) …"
	@$(UV) sync --frozen --all-packages
	@touch $@

# exec: the server itself is make's child, so that Ctrl-C and SIGTERM reach it.
run: $(READY)
	@exec $(VENV)/bin/insula up

test: $(READY)
	@.ci/debian-packages $(TEST_PACKAGES)
	@exec $(VENV)/bin/pytest -n 2 --dist loadgroup

check: $(READY)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

fmt: $(READY)
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: $(READY)
	@exec $(VENV)/bin/python ops/bench/run.py
