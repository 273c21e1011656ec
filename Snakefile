# Alignment of visual models with humans: data -> weights -> heatmaps -> scores -> outcome.
# The config is config.yaml, or whatever --configfile names (profiles/demo does), not both. As a
# module of another workflow it is the config that the module statement gives.

import re

from snakemake.utils import min_version

min_version("9.0")


# Of `--sdm apptainer` alone: docs/environments.md says how to build it from Containerfile. It is a
# file of the working folder because no image is published.
container: "human-alignment.sif"


include: "rules/common.smk"


IS_MODULE = workflow.snakefile != workflow.main_snakefile
CONFIG_FILES = [] if IS_MODULE else workflow.overwrite_configfiles

if not (IS_MODULE and config):
    check_files(CONFIG_FILES or [f"{ROOT}/config.yaml"])

    if not CONFIG_FILES:

        configfile: f"{ROOT}/config.yaml"


if not IS_MODULE:  # it describes this study; a report of another workflow has another subject

    report: "report/workflow.rst"


if note := lock_note(sys.argv[1:]):
    print(note, file=sys.stderr)

study = loaded_study(config)
STUDY = study.name
NOTE = literal(study.note)
LABEL = flags({"label": config["figures"]["label"]})  # networks that are named and shown first
RECEIVED = []  # names of signals that this run has received


if workflow.is_main_process and not IS_MODULE:
    shorten(logger)


wildcard_constraints:
    model="|".join(map(re.escape, config["models"])),
    run="published|seed[0-9]+",
    seed="[0-9]+",
    shard="[0-9]+",
    attribution="saliency|rise",
    part=r"|\.saliency|\.rise",
    geometry=r"|\.crop|\.full",
    number="[5-9]",


include: "rules/data.smk"
include: "rules/weights.smk"
include: "rules/heatmaps.smk"
include: "rules/references.smk"
include: "rules/scores.smk"
include: "rules/protocols.smk"
include: "rules/tables.smk"
include: "rules/figures.smk"
include: "rules/images.smk"


rule all:
    default_target: True
    input:
        rules.plot_samples.output,
        rules.make_table1.output,
        rules.make_pair_table.output if study.shows_pair_first else [],
        rules.make_leaderboard.output,
        applicable("claims", rules.check_claims.output),
        rules.compare_models.output,
        rules.collect_controls.output,
        rules.plot_figure1.output,
        applicable("figure2", rules.plot_figure2.output),
        applicable("figure3", rules.plot_figure3.output),
        applicable("figure4", rules.plot_figure4.output),
        applicable("comparisons", rules.plot_comparisons.output),
        rules.plot_smoothness.output,
        applicable("accuracy", rules.plot_accuracy.output),
        rules.stratify_scores.output,
        rules.plot_strata.output,
        applicable("threshold_sweep", rules.plot_threshold_sweep.output),
        rules.plot_sensitivity.output,
        applicable("positions", rules.plot_positions.output),
        applicable("curves", rules.plot_curves.output),
        rules.collect_measures.output if config["measures"] else [],
        expand(rules.plot_methods.output, number=study.methods_numbers),
        rules.make_gallery.output,
        rules.describe_study.output,
        expand(rules.show_table.output, table=TABLES),


# Snakemake has set its own handlers by now.
onstart:
    note_signals(RECEIVED)


onsuccess:
    print(closing("complete"), file=sys.stderr)


onerror:
    print(closing(cause_of_stop(RECEIVED)), file=sys.stderr)
