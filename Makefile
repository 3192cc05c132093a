# `make dev` builds in place for this machine's widest instruction set only; `make build` for all of them.
PYTHON ?= python
ISA ?= $(shell grep -qw avx512vl /proc/cpuinfo 2>/dev/null && echo avx512 || (grep -qw avx2 /proc/cpuinfo 2>/dev/null && echo avx2) || echo baseline)

.PHONY: dev build test lint clean
dev:
	CONVKIT_BUILD_ISA=$(ISA) $(PYTHON) setup.py -q build_ext --inplace
build:
	$(PYTHON) setup.py -q build_ext --inplace
test:
	$(PYTHON) -m pytest -q
lint:
	ruff check .
	ruff format --check .
	cython-lint convkit
	mypy
	lint-imports
clean:
	rm -rf build dist *.egg-info
	find convkit -name '*.so' -delete
