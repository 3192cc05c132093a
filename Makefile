# The developer's commands; PYTHON is an environment with the extras `test` and `lint` and Cython.
PYTHON ?= python
ISA ?= $(shell grep -qw avx512vl /proc/cpuinfo 2>/dev/null && echo avx512 || { grep -qw avx2 /proc/cpuinfo 2>/dev/null && echo avx2; } || echo baseline)
ARM ?= aarch64-linux-gnu-gcc

.PHONY: dev build test lint check gallery spills arm clean

dev:    ## build in place, on every core, for this machine's widest instruction set alone
	CONVKIT_BUILD_ISA=$(ISA) $(PYTHON) setup.py -q build_ext --inplace

build:  ## build in place for every instruction set
	$(PYTHON) setup.py -q build_ext --inplace

test:
	$(PYTHON) -m pytest -q

lint:
	ruff check .
	ruff format --check .
	cython-lint convkit
	mypy
	lint-imports

check: test lint

gallery: ## the site, into build/site (needs the extra `gallery`)
	$(PYTHON) -m sphinx -W --keep-going -E -q -b html docs build/site
	$(PYTHON) docs/check_site.py build/site

spills: ## no inner loop keeps sums on the stack, built by gcc or by clang (needs objdump)
	$(PYTHON) -m benchmarks spills --compilers gcc clang

arm:    ## compile the same sources for 64-bit Arm with a cross-compiler (after `make build`)
	for source in build/cython/*_baseline/convkit/_kernels.c build/cython/*_baseline/convkit/_native/*.c; do \
	    case $$source in *f64*) real=-DCONVKIT_FLOAT64;; *) real=;; esac; \
	    echo "$$source"; \
	    $(ARM) -c -O3 -fopenmp $$real -Iconvkit/_native -I$$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("include"))') \
	        -ffp-contract=fast -fno-math-errno -fno-trapping-math '-DCYTHON_INLINE=inline __attribute__((always_inline))' \
	        -Wno-attributes -Werror=implicit-function-declaration -o /dev/null $$source || exit 1; \
	done

clean:
	rm -rf build dist *.egg-info
	find convkit -name '*.so' -delete
