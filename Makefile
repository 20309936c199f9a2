# Two commands: `make demo` sets everything up and runs the main job, `make test` sets everything up and tests it.
PYTHON ?=
export PYTHON

.PHONY: demo test check unit journeys

demo:
	@scripts/prepare demo
	@.venv/bin/gyro demo $(ARGS)

test: check unit journeys

check:
	@scripts/prepare test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

unit:
	@scripts/prepare test
	.venv/bin/pytest -q tests src --ignore=tests/journeys

journeys:
	@scripts/prepare test
	.venv/bin/pytest -q -s tests/journeys

# Figures: `make bench-log`, `make chaos-log` (root), with QUICK=1 for three minutes' worth and SEED=n for another seed.
.PHONY: bench-log chaos-log

bench-log chaos-log:
	@scripts/prepare test
	.venv/bin/python -m benchmarks.target $@ $(if $(QUICK),--quick) --seed $(or $(SEED),0) $(if $(ONLY),--only $(ONLY))
