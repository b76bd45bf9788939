# Two commands: `make demo` and `make test`. Both set everything up themselves.

PYTHON ?= python3.11
BIN := .venv/bin
SHELL := /bin/bash -o pipefail
export PATH := $(CURDIR)/$(BIN):$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := 1

.PHONY: demo test tests check check-data ui clean

demo: runs
	dvc repro
	python -m pipeline_lib.console

# The first time, what needs nothing of each other runs side by side, a process of DVC each, for
# `dvc repro` runs one stage after the other and those of the twins are too small for two cores:
# starting workers takes them longer than their work. So each of the three has half of the cores.
# All of it is in the DAG: what these lines leave out, `dvc repro` does. After a failure the next
# `make demo` goes on where this one ended.
data := $(addprefix data-,amigos deap hume_reaction kinetics)
half := LOKY_MAX_CPU_COUNT=$(shell echo $$(( ($$(getconf _NPROCESSORS_ONLN) + 1) / 2 ))) OMP_NUM_THREADS=1
alone = $(half) dvc --wait-for-lock repro --single-item --glob $(1) 2>&1 | sed --unbuffered 's/^/$@: /'

runs: | .venv/ready
	dvc repro assets
	$(MAKE) --jobs=3 mvp-amigos mvp-deap viper data-sample

.PHONY: $(data) data-sample audit mvp-amigos mvp-deap mvp-common viper viper-embed
$(data): data-%: ; $(call alone,'*@$*')
data-sample: ; $(call alone,'sample' '*@sample')
audit: $(data) ; $(call alone,'audit')
mvp-common: audit ; $(call alone,'mvp/dvc.yaml:pretrain@*' 'mvp/dvc.yaml:supervise@*')
mvp-amigos mvp-deap: mvp-%: mvp-common ; $(call alone,'mvp/dvc.yaml:*@$**')
viper-embed: data-hume_reaction ; $(call alone,'viper/dvc.yaml:embed@*')
viper: audit viper-embed ; $(call alone,'viper/dvc.yaml:fuse@*' 'viper/dvc.yaml:correlate@*')

test: .venv/ready
	$(MAKE) --jobs=2 --output-sync=target check tests

tests: .venv/ready
	pytest -n 2 --dist loadfile --no-loadscope-reorder

check: .venv/ready
	ruff format --check .
	ruff check .
	mypy

# What is on disk against what the owners announce, before anything is computed.
check-data: .venv/ready
	python -m stages.check_data $(DATASET) $(if $(DECODE),--decode)

ui: .venv/ready
	mlflow ui --backend-store-uri $${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}

clean:
	rm -rf .venv .cache assets data runs mlflow.db mlartifacts .dvc/cache .dvc/tmp

.venv/ready: requirements.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is missing: install it (Debian: apt-get install python3.11 python3.11-venv; or pyenv install 3.11), or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { echo "$(PYTHON) is not Python 3.11 with venv and ensurepip (Debian: apt-get install python3.11-venv)" >&2; exit 1; }
	@$(PYTHON) -c 'import ctypes; ctypes.CDLL("libEGL.so.1"); ctypes.CDLL("libGLESv2.so.2")' 2>/dev/null || { echo "MediaPipe needs the system libraries libEGL.so.1 and libGLESv2.so.2 (Debian: apt-get install libegl1 libgles2)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -r requirements.txt
	# On all cores, where pip takes one. Some packages ship files that are no Python: it skips them.
	$(BIN)/python -m compileall -qq -j 0 .venv/lib || true
	touch $@
