# Everything that a fresh machine needs: Python >= 3.11, make and a package index.
PYTHON ?= python3
PIP_ARGS ?=
TEST_PROCESSES ?= 2
BIN := .venv/bin

.PHONY: install demo test test-workers search lint bench clean

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "segprep needs Python 3.11 or newer, this is " + sys.version)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt $(PIP_ARGS) -e '.[dev]'
	touch $@

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=.typing $(BIN)/mypy -p segprep.datasets -p segprep.flow -p segprep.prep -p segprep.workflows -p segprep.train
	MYPYPATH=.typing:bench:tests $(BIN)/mypy tests bench

# Tests that start workers of Dask are marked `cluster` and run one by one; they leave a core to the types.
test: install
	$(BIN)/python -m pytest -q -n $(TEST_PROCESSES) --dist worksteal -m "not cluster" tests
	$(MAKE) -j2 lint test-workers

test-workers: install
	$(BIN)/python -m pytest -q -m cluster tests

# Property tests with twenty times as many examples, other ones each time: not part of `make test`, which must not fail by chance.
search: install
	$(BIN)/python -m pytest -q -n $(TEST_PROCESSES) --dist worksteal --hypothesis-profile search -m "not cluster" -k "$(SEARCH)" tests

# A user's day on a rendered drive. Nothing is downloaded but the packages.
demo: install
	rm -rf demo
	mkdir -p demo/pictures
	$(BIN)/prep init synthetic --miniature demo/drive --frames 120 -C demo/workspace
	$(BIN)/prep resize --factor 2 -C demo/workspace
	$(BIN)/prep flow --scale 6.4 -C demo/workspace
	$(BIN)/prep shard -C demo/workspace
	$(BIN)/prep verify -C demo/workspace
	$(BIN)/prep status -C demo/workspace
	$(BIN)/train run --base-channels 8 --epochs 10 --name demo -C demo/workspace
	$(BIN)/train eval --name demo -C demo/workspace
	$(BIN)/prep show 'val*_000012' --out demo/pictures/sample.png -C demo/workspace
	cp demo/workspace/runs/demo/eval-val/panel.png demo/pictures/predictions.png
	@echo
	@echo 'The drive:     demo/drive                   rendered images, labels, depth, near infrared, cameras'
	@echo 'The workspace: demo/workspace               every column as plain files, and ledger.sqlite'
	@echo 'The shards:    demo/workspace/shards        train.zarr, val.zarr'
	@echo 'The network:   demo/workspace/runs/demo     checkpoints, log, evaluation'
	@echo 'Pictures:      demo/pictures/sample.png     every column of one sample'
	@echo '               demo/pictures/predictions.png  image, label, prediction, errors'

# Figures of docs/benchmarks.md. The benchmarks on real data need the folder that SEGPREP_DATA names.
bench: install
	$(BIN)/python bench/render.py
	$(BIN)/python bench/resize.py
	$(BIN)/python bench/decoders.py
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

clean:
	rm -rf .venv demo build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis bench/results
