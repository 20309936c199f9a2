# Two commands: `make demo` sets everything up and runs the main job, `make test` sets everything up and tests it.
PYTHON ?=
export PYTHON

# The peers that tests/peers/ starts, those that are asked for first in front.
TESTED = clients mlflow mlserver ray schemathesis standardwebhooks

.PHONY: demo test ahead check unit journeys

demo:
	@scripts/prepare demo
	@.venv/bin/gyro demo $(ARGS)

test: ahead check unit journeys

# Foreign systems are installed beside what needs none: it is mostly waiting. A peer that is not there by then is waited
# for, or installed by the test that asks for it. They are compiled as they are imported, which is half of the work.
ahead:
	@scripts/prepare test
	@PIP_NO_COMPILE=1 nice .venv/bin/python -m peers $(TESTED) &

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
	.venv/bin/pytest -q -n 2 --dist loadfile --durations=12 -m "not quiet" tests/journeys tests/peers
	.venv/bin/pytest -q -s --durations=12 -m quiet tests/journeys

# Figures: with QUICK=1 three minutes' worth, SEED=n another seed, ONLY=L1,L3 some rows. chaos-log needs root.
FIGURES = $(if $(QUICK),--quick) --seed $(or $(SEED),0) $(if $(ONLY),--only $(ONLY))

BENCHES = bench-log chaos-log bench-serving bench-profile bench-statistics bench-loop

# Each installs the peers it needs into .peers the first time.
.PHONY: $(BENCHES)
$(BENCHES):
	@scripts/prepare test
	.venv/bin/python -m benchmarks.target $@ $(FIGURES)
