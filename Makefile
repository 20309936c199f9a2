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
	.venv/bin/pytest -q -n auto --dist loadfile --durations=12 tests src --ignore=tests/journeys --ignore=tests/peers

journeys:
	@scripts/prepare test
	.venv/bin/pytest -q -s --durations=12 tests/journeys tests/peers

# Figures: with QUICK=1 three minutes' worth, SEED=n another seed, ONLY=L1,L3 some rows. chaos-log needs root.
FIGURES = $(if $(QUICK),--quick) --seed $(or $(SEED),0) $(if $(ONLY),--only $(ONLY))

BENCHES = bench-log chaos-log bench-serving bench-profile bench-statistics bench-loop

# Each installs the peers it needs into .peers the first time.
.PHONY: $(BENCHES)
$(BENCHES):
	@scripts/prepare test
	.venv/bin/python -m benchmarks.target $@ $(FIGURES)
