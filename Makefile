# Everything that a developer or a reader types. `make` alone lists it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Wheels of torch without CUDA. They save gigabytes on a Linux machine without an NVIDIA GPU; macOS has no others.
TORCH_CPU := https://download.pytorch.org/whl/cpu
REACH_TORCH_CPU := import urllib.request as r; r.urlopen(r.Request("$(TORCH_CPU)/torch/", method="HEAD"), timeout=5)

REPORTS := outputs/experiments
# These three need a GPU or data of your own; cgan_one_hot is a part of cgan.
ELSEWHERE := infogan_paper cyclegan_horse2zebra pix2pix_facades cgan_one_hot
EXPERIMENTS ?= $(filter-out $(ELSEWHERE),$(basename $(notdir $(shell grep -l "^report:" conf/experiment/*.yaml))))
SIDE_BY_SIDE := hydra/launcher=joblib hydra.launcher.n_jobs=2

# Compiled modules are kept, also where the environment says otherwise: the tests start many processes.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-long test-slurm lint docs docs-serve options experiments reports gallery baselines bench bench-metrics bench-start bench-feed bench-sequences bench-formats bench-compile bench-growth bench-damages bench-rankings bench-processes bench-recipe bench-gpu bench-precision torture torture-long clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

setup: $(READY) ## make .venv and install everything into it (once)

$(READY): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@index=; if [ "$$(uname)" != Linux ] || nvidia-smi -L >/dev/null 2>&1; then echo "torch: the default build"; \
	elif $(BIN)/python -c '$(REACH_TORCH_CPU)' 2>/dev/null; then \
	  echo "torch: the CPU build from $(TORCH_CPU), as there is no NVIDIA GPU"; index="--extra-index-url $(TORCH_CPU)"; \
	else echo "torch: the default build, as $(TORCH_CPU) is out of reach"; fi; \
	echo "installing into $(VENV), once; the default build of torch for Linux takes gigabytes:"; \
	$(BIN)/python -m pip install --disable-pip-version-check $$index --editable '.[dev]'
	touch $@

demo: setup ## train a DCGAN on the bundled images, 4 to 11 minutes on 2 CPU cores
	$(BIN)/gan-train
	@printf '\n%s\n' "Next, in this shell:"
	@printf '  %-26s  %s\n' \
	  "source $(VENV)/bin/activate" "once in each terminal" \
	  "gan-sample latest n=64" "a picture of new samples" \
	  "gan-eval latest" "numbers with their error and floor" \
	  "gan-report latest" "a page about the run" \
	  "gan-train --help" "other losses, networks and data sets"

test: setup ## run the test suite, 5 to 10 minutes on 2 CPU cores
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not long"

test-fast: setup ## run the tests that are quick: all but those marked slow or long
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not long"

test-long: setup ## run the further cases that `make test` leaves out: before a release, or when exactness or experiments change
	$(BIN)/python -m pytest -n 2 --dist worksteal -m long

test-slurm: setup ## a sweep on Slurm with two nodes on this machine, preempted and taken up again, 10 minutes; root and Debian's Slurm
	$(BIN)/python tests/slurm

lint: setup ## check style (ruff) and types (mypy)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: setup ## build the documentation into site/; a broken link is an error
	$(BIN)/zensical build --clean --strict

docs-serve: setup ## show the documentation at http://localhost:8000 and rebuild it on every change
	$(BIN)/zensical serve

options: setup ## write the tables of docs/options/ from conf/ and the docstrings
	$(BIN)/python docs/options.py

experiments: setup ## run EXPERIMENTS (all) at CPU scale, what their reports ask gan-eval for, then as `reports`; hours, finished jobs are skipped
	failed=0; for name in $(EXPERIMENTS); do \
	  $(BIN)/gan-train -m experiment=$$name hydra.sweep.dir=$(REPORTS)/$$name $(SIDE_BY_SIDE) || failed=1; \
	  words=$$($(BIN)/python -c "import yaml; print(*yaml.safe_load(open('conf/experiment/$$name.yaml')).get('report', {}).get('evaluation', []))"); \
	  test -z "$$words" -o -f $(REPORTS)/$$name/eval.json || $(BIN)/gan-eval $(REPORTS)/$$name $$words || failed=1; \
	done; $(BIN)/gan-report $(REPORTS) && exit $$failed

reports: setup ## a page about each experiment that was run, and outputs/experiments/index.html
	$(BIN)/gan-report $(REPORTS)

gallery: setup ## docs/gallery.md from these reports
	$(BIN)/python docs/gallery.py $(REPORTS)

baselines: setup ## numbers of cheap substitutes that claims must not hold for, written into docs/experiments.md, 5 minutes
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/bench_baselines.py

PEERS := .cache/peers
bench: setup ## time of a round beside a bare loop, torchgan and torch-mimicry, written into docs/performance.md; ROWS prints some rows
	test -d $(PEERS)/torchgan || \
	  $(BIN)/python -m pip --disable-pip-version-check install --no-deps --target $(PEERS) torchgan==0.1.0 torch-mimicry==0.1.16 || \
	  echo "torchgan and torch-mimicry cannot be installed: their rows are left out"
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/bench_rounds.py --peers $(PEERS) $(if $(ROWS),--rows $(ROWS))

bench-metrics: setup ## time and memory of the metrics beside scipy, torch-fidelity and torchmetrics, 5 minutes
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/bench_metrics.py

bench-sequences: setup ## sequences per second of recurrent layers beside a loop over time, 2 minutes
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/bench_sequences.py

bench-feed: setup ## images per second from the mapped cache beside torchvision, and memory by number of images, 5 minutes
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/bench_feed.py

bench-start: setup ## processor time of the commands' start beside that of torch's own, written into docs/performance.md, 5 minutes
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/bench_start.py

bench-formats: setup ## speed of a round in each precision and memory format, for networks of every kind, 10 minutes
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/bench_formats.py

bench-compile: setup ## speed of a round with compile=true, and the time that compiling takes, written into docs/performance.md, 5 minutes
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/bench_compile.py

bench-growth: setup ## growth of a round's time in batch, width, resolution and images, written into docs/performance.md, 5 minutes
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/bench_growth.py

bench-damages: setup ## numbers of every image measure for six known damages, written into docs/measures.md, 5 minutes
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/bench_damages.py

bench-rankings: setup ## errors and power of the verdicts between methods, simulated, written into docs/rankings.md, 5 minutes
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/bench_rankings.py

bench-processes: setup ## scaling at 1 and 2 processes and bytes per round of each model, written into docs/performance.md, 5 minutes
	$(BIN)/python tests/benchmarks/bench_processes.py $(ROWS)

bench-gpu: setup ## tests and times on a CUDA device, written into docs/performance.md, at most 10 minutes
	$(BIN)/python tests/benchmarks/bench_gpu.py

PRECISIONS := precision=fp32,bf16 memory_format=auto seed=1,2,3
bench-recipe: setup ## Fréchet distance by rounds and time with optimizer=adam and adam_small over three seeds, 40 minutes
	$(BIN)/gan-train -m optimizer=adam,adam_small seed=21,22,23 eval_every=500 hydra.sweep.dir=outputs/recipe
	$(BIN)/gan-eval outputs/recipe

bench-precision: setup ## quality in bf16 beside fp32: the demo and wgan_gp_small over three seeds, on a CPU with AMX or a GPU
	$(BIN)/gan-train -m $(PRECISIONS) hydra.sweep.dir=outputs/precision/demo
	$(BIN)/gan-train -m experiment=wgan_gp_small $(PRECISIONS) hydra.sweep.dir=outputs/precision/wgan_gp_small
	for name in demo wgan_gp_small; do $(BIN)/gan-eval outputs/precision/$$name; done

SEED ?= 0
SCALE ?= 1
torture: setup ## faults of every kind against the four commands, at most 30 minutes on 2 CPU cores; ROWS, SEED and TRY choose
	$(BIN)/python tests/torture $(ROWS) --scale $(SCALE) --seed $(SEED) $(if $(TRY),--only $(TRY))

torture-long: setup ## the same with ten times the tries, 5 hours
	$(BIN)/python tests/torture $(ROWS) --scale 10 --seed $(SEED)

clean: ## remove what was built or cached here; outputs/ stays
	rm -rf $(VENV) build dist site .cache .pytest_cache .ruff_cache .mypy_cache *.egg-info
