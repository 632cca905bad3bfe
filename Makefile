# Everything that a fresh machine needs: Python >= 3.11, make and a package index.
# What stands after `##` is what `make help` prints.
PYTHON ?= python3
PYTHONS ?= 3.11 3.12 3.13 3.14
PIP_ARGS ?=
UV_ARGS ?=
TEST_PROCESSES ?= 2
ENV ?= .venv
BIN := $(ENV)/bin
# Where it is set, each of the many processes that tests and demo start would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo docs test test-fast test-long test-workers test-lowest test-newest test-pythons search lint types bench clean

help: ## List what can be made.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do printf '%-14s %s\n' "$$name" "$$text"; done

install: $(ENV)/.installed ## Make the environment .venv with the pinned versions of constraints.txt.

$(ENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "segprep needs Python 3.11 or newer, this is " + sys.version)'
	$(PYTHON) -m venv $(ENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt $(PIP_ARGS) -e '.[dev]'
	touch $@

lint: install types ## Check style, spelling and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: install ## Check the types alone.
	MYPYPATH=.typing $(BIN)/mypy -p segprep.datasets -p segprep.flow -p segprep.prep -p segprep.workflows -p segprep.train
	MYPYPATH=.typing:bench:tests $(BIN)/mypy tests bench docs/_hooks

# Tests that start workers of Dask are marked `cluster` and run one by one. They leave a core to the checks, and to tests
# of one process that are marked `long`.
test: test-fast ## Run all tests, and check style, spelling and types. This is what counts.
	$(MAKE) -j2 lint-and-test-long test-workers

.PHONY: lint-and-test-long
lint-and-test-long: lint
	$(MAKE) test-long

test-fast: install ## Run the tests that start no workers and take less than some seconds.
	$(BIN)/python -m pytest -q -n $(TEST_PROCESSES) --dist worksteal -m "not cluster and not long" tests

test-long: install ## Run the tests that take long in one process.
	$(BIN)/python -m pytest -q -m long tests

test-workers: install ## Run the tests that start workers, one by one.
	$(BIN)/python -m pytest -q -m cluster tests

# uv, because pip cannot choose lowest versions. Old builds of PyTorch bring CUDA: 6 GB on the disk.
test-lowest: ## Run all tests on the lowest versions that pyproject.toml allows, in .venv-lowest.
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet -c constraints.txt $(PIP_ARGS) uv
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest/bin/python --resolution lowest-direct $(UV_ARGS) -e '.[dev]'
	touch .venv-lowest/.installed
	$(MAKE) ENV=.venv-lowest test-fast test-long test-workers

test-newest: ## Run all tests on the newest versions of everything, in .venv-newest.
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager $(PIP_ARGS) -e '.[dev]'
	touch .venv-newest/.installed
	$(MAKE) ENV=.venv-newest test-fast test-long test-workers

# pyenv has commands python3.12 and so on that only say that another version is chosen: a Python is what runs.
RUNNING_PYTHON = $$(for each in "$$(command -v python$$version)" $${PYENV_ROOT:-$$HOME/.pyenv}/versions/$$version.*/bin/python; do \
	"$$each" -c '' 2> /dev/null && echo "$$each" && break; done)

test-pythons: ## Run all tests on each Python from 3.11 to 3.14 that this machine has, and say which it has.
	@for version in $(PYTHONS); do \
		python="$(RUNNING_PYTHON)"; echo "Python $$version: $${python:-not on this machine, not tested}"; \
	done
	@for version in $(PYTHONS); do \
		python="$(RUNNING_PYTHON)"; test -n "$$python" || continue; \
		$(MAKE) PYTHON="$$python" ENV=.venv-$$version test-fast test-long test-workers || exit 1; \
	done

# Not part of `make test`, which must not fail by chance.
search: install ## Run the property tests with twenty times as many examples, other ones each time; SEARCH='words' chooses tests.
	$(BIN)/python -m pytest -q -n $(TEST_PROCESSES) --dist worksteal --hypothesis-profile search -m "not cluster" -k "$(SEARCH)" tests

docs: install ## Build the documentation site into site/.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo 'The site: site/index.html. With search: $(BIN)/python -m http.server --directory site'

demo: install ## Run a user's day on a rendered drive, from images to an evaluated network. Nothing is downloaded but packages.
	rm -rf demo
	mkdir -p demo/pictures
	$(BIN)/prep init synthetic --miniature demo/drive --frames 120 -C demo/workspace
	$(BIN)/prep resize --factor 2 -C demo/workspace
	$(BIN)/prep flow --scale 6.4 -C demo/workspace
	$(BIN)/prep shard -C demo/workspace
	$(BIN)/prep verify -C demo/workspace
	$(BIN)/prep status -C demo/workspace
	$(BIN)/train run --base-channels 8 --epochs 10 --class-weights enet --name demo -C demo/workspace
	$(BIN)/train eval --name demo -C demo/workspace
	$(BIN)/train export demo --out demo/network.onnx -C demo/workspace
	$(BIN)/prep show 'val*_000012' --out demo/pictures/sample.png -C demo/workspace
	cp demo/workspace/runs/demo/eval-val/panel.png demo/pictures/predictions.png
	$(BIN)/train predict demo demo/drive/val/drive00/rgb --out demo/predictions --save ids,colors,overlay -C demo/workspace
	@echo
	@echo 'The drive:     demo/drive                   rendered images, labels, depth, near infrared, cameras'
	@echo 'The workspace: demo/workspace               every column as plain files, and ledger.sqlite'
	@echo 'The shards:    demo/workspace/shards        train.zarr, val.zarr'
	@echo 'The network:   demo/workspace/runs/demo     checkpoints, log, evaluation'
	@echo '               demo/network.onnx           the same for other runtimes; its answers were compared'
	@echo 'Predictions:   demo/predictions/overlay     the pictures of a folder under the colours of their classes; ids/, colors/ beside'
	@echo 'Pictures:      demo/pictures/sample.png     every column of one sample'
	@echo '               demo/pictures/predictions.png  image, label, prediction, errors'

# The benchmarks on real data need the folder that SEGPREP_DATA names.
bench: install ## Measure the figures of docs/benchmarks.md.
	$(BIN)/python bench/render.py
	$(BIN)/python bench/resize.py
	$(BIN)/python bench/decoders.py
	$(BIN)/python bench/damaged_pictures.py
	$(BIN)/python bench/thin_classes.py
	$(BIN)/python bench/flow.py
	$(BIN)/python bench/completion.py
	$(BIN)/python bench/hha.py
	$(BIN)/python bench/augment.py
	$(BIN)/python bench/read.py
	$(BIN)/python bench/write.py
	$(BIN)/python bench/modalities.py
	$(BIN)/python bench/train.py
	$(BIN)/python bench/camvid.py
	$(BIN)/python bench/motion.py
	$(BIN)/python bench/metrics.py
	$(BIN)/python bench/views.py
	$(BIN)/python bench/networks.py
	$(BIN)/python bench/saving.py
	$(BIN)/python bench/export.py
	$(BIN)/python bench/serve.py
	$(BIN)/python bench/cluster_faults.py
	$(BIN)/python bench/damage.py
	$(BIN)/python bench/kills.py
	$(BIN)/python bench/fuzz.py

clean: ## Remove the environments and all that was made.
	rm -rf .venv .venv-* site demo build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis bench/results
