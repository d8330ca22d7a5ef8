# make book      the pages, in _build/html
# make test      everything that CI checks
# make lab       JupyterLab on the chapters
# make pdf       the whole book as _build/sequence-models.pdf, printed by Chromium
#
# PYTHON         the interpreter that makes .venv (python3)
# PAPER          of the PDF: A4 (unset) or Letter
# TORCH_INDEX    address of a package index with the CPU build of PyTorch (unset; README.md says more)

PYTHON ?= python3
TORCH_INDEX ?=
PAPER ?= A4
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/installed

.PHONY: book pdf test lint notebooks exercises bench lab clean

book: $(READY)
	@$(RUN) book/build.py

pdf: book
	@$(RUN) book/pdf.py $(PAPER)

test: $(READY)
	@$(RUN) tests/run.py

lint: $(READY)
	@$(RUN) tests/run.py lint

# Execute every chapter and store its text outputs: make notebooks CHAPTERS=chapters/02_rnn.ipynb for one.
notebooks: $(READY)
	@$(RUN) book/notebooks.py $(CHAPTERS)

# Write the students' notebooks from the solutions.
exercises: $(READY)
	@$(RUN) -m seqlib.grading build

bench: $(READY)
	@set -e; for script in benchmarks/*.py; do echo "$$script"; $(RUN) $$script; done

# One thread for each kernel: more make the small products of the chapters slower.
lab: $(READY)
	@OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(RUN) -m jupyterlab chapters

clean:
	rm -rf _build node_modules $(VENV) .pytest_cache .ruff_cache .hypothesis *.egg-info

# The environment is made once, and brought up to date when one of these two files changes.
# Debian's python3 has no ensurepip without python3-venv: there its own pip fills the environment.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else \
	"The book needs Python 3.11 or newer; %s is %d.%d. Name another one: make PYTHON=python3.13" % ((sys.executable,) + v))'
	@echo "Installing the packages of requirements.txt into $(VENV) (minutes, once)"
	@if [ ! -x $(RUN) ]; then \
	    if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then $(PYTHON) -m venv $(VENV); \
	    else $(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(RUN) install pip; fi; \
	fi
	@$(RUN) -m pip install --quiet $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -r requirements.txt
	@touch $@
