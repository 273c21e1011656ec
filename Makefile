# make env    set up .venv from the pinned lists       make demo   the embedded study
# make test   lint, format and all tests               make report the demo's report, one file
# make pins   resolve envs/ anew, list timm's models   make test-slurm  a study on a real SLURM
#                                                      make test-faults a study killed again and again

PYTHON ?= python3
ENVIRONMENTS = envs/human_alignment.yaml envs/workflow.yaml envs/tests.yaml
# A pin is a line `      - name==version`.
PINS = sed -n 's/^ *- \([A-Za-z0-9._-]*==[^ ]*\).*/\1/p' $(ENVIRONMENTS)
VENV = PATH="$(CURDIR)/.venv/bin:$$PATH"

.PHONY: env demo report test test-slurm test-faults pins clean

env: .venv/complete

.venv/complete: $(ENVIRONMENTS)
	$(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check $$($(PINS) | grep '^uv==')
	$(PINS) | sort -u > .venv/pins.txt
	.venv/bin/uv pip install --python .venv/bin/python --compile-bytecode -r .venv/pins.txt
	touch $@

demo: env
	$(VENV) snakemake --cores all --profile profiles/demo
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

pins:
	$(VENV) python envs/resolve_pins.py
	$(MAKE) env
	$(VENV) python envs/list_timm_models.py

clean:
	rm -rf .venv
