# make env    set up .venv from the pinned lists       make demo   the embedded study
# make test   lint, format and all tests               make report the demo's report, one file
# make docs   the site of documentation                make test-slurm  a study on a real SLURM
# make pins   resolve envs/ anew, list timm's models   make test-faults a study killed again and again
#
# make env TORCH=cpu   .venv-cpu, without what graphics cards need; demo and others take it too

PYTHON ?= python3
ENVIRONMENTS = envs/human_alignment.yaml envs/workflow.yaml envs/tests.yaml envs/docs.yaml
# A pin is a line `      - name==version`.
PINS = sed -n 's/^ *- \([A-Za-z0-9._-]*==[^ ]*\).*/\1/p' $(ENVIRONMENTS)
ifeq ($(TORCH),)
  FOLDER = .venv
  WANTED = cat
else ifeq ($(TORCH),cpu)
  FOLDER = .venv-cpu
  WANTED = grep -vE '^(cuda-|nvidia-|triton==)'
  BACKEND = --torch-backend=cpu
else
  $(error TORCH is $(TORCH); allowed: cpu, or nothing)
endif
VENV = PATH="$(CURDIR)/$(FOLDER)/bin:$$PATH"

.PHONY: env demo report test test-slurm test-faults docs pins clean

env: $(FOLDER)/complete

$(FOLDER)/complete: $(ENVIRONMENTS)
	$(PYTHON) -m venv --clear $(FOLDER)
	$(FOLDER)/bin/python -m pip install --quiet --disable-pip-version-check $$($(PINS) | grep '^uv==')
	$(PINS) | sort -u | $(WANTED) > $(FOLDER)/pins.txt
	$(FOLDER)/bin/uv pip install --python $(FOLDER)/bin/python --compile-bytecode $(BACKEND) -r $(FOLDER)/pins.txt
	touch $@

# Something to look at soon: pictures of the data, then one pair of networks.
FIRST = figures/samples.png figures/figure1.png tables/pair.csv

demo: env
	$(VENV) snakemake --cores all --profile profiles/demo --prioritize $(FIRST:%=results/demo/%)
	@cat results/demo/tables/table1.md
	@echo; echo "Figures: results/demo/figures/   Tables: results/demo/tables/"

report: demo
	$(VENV) snakemake --cores 1 --profile profiles/demo --report results/demo/report.html
	@echo; echo "Report: results/demo/report.html"

test: env
	$(VENV) python -m pytest -n auto --dist worksteal

test-slurm: env
	$(VENV) python -m pytest -s -x --tb=short tests/slurm

test-faults: env
	$(VENV) python -m pytest -s -x --tb=short tests/faults

docs: env
	$(VENV) python docs/configuration.py
	$(VENV) NO_MKDOCS_2_WARNING=1 python -m mkdocs build --strict --quiet
	@echo; echo "Documentation: site/index.html"

pins:
	$(VENV) python envs/resolve_pins.py
	$(MAKE) env
	$(VENV) python envs/list_timm_models.py

clean:
	rm -rf .venv .venv-cpu
