# Raw heatmaps of every explainer that the package has, from one forward pass per image, whichever
# of them the study scores: another list of explainers runs no network again. The file `<run>.h5`
# holds the protocol's own geometry, `<run>.full.h5` or `<run>.crop.h5` a named one. With more than
# one shard each job does a part of the images, and join_heatmaps writes the file that one job would
# write.

HEATMAPS = f"results/{STUDY}/heatmaps/{{model}}/{{run}}{{geometry}}"
SHARDS = config["extract"]["shards"]
SHARD = ".shard{shard}" if SHARDS > 1 else ""  # a single shard is the whole file


ruleorder: extract_heatmaps > join_heatmaps  # only with a single shard could both write it


rule extract_heatmaps:
    input:
        data=study.data_file(),
        weights=f"results/{STUDY}/weights/{{model}}/{{run}}.safetensors",
    output:
        temp(f"{HEATMAPS}{SHARD}.h5") if SHARD else f"{HEATMAPS}.h5",
    log:
        f"logs/{STUDY}/extract_heatmaps/{{model}}.{{run}}{{geometry}}{SHARD}.log",
    benchmark:
        f"logs/{STUDY}/extract_heatmaps/{{model}}.{{run}}{{geometry}}{SHARD}.tsv"
    conda:
        ENVIRONMENT
    threads: config["threads"]
    resources:
        gpu=study.gpus_of_a_job,
        mem_mb=growing(3000),
        runtime=growing(480),
    params:
        script=script("extract_heatmaps.py"),
        code=code("extract_heatmaps.py"),
        settings=lambda wildcards: study.extraction_flags(
            wildcards.geometry, wildcards.get("shard")
        ),
    shell:
        "python {params.script:q} --data {input.data:q} --weights {input.weights:q} "
        "--model {wildcards.model:q} {params.settings} --threads {threads} --output {output:q} 2> {log:q}"


rule join_heatmaps:
    input:
        expand(f"{HEATMAPS}{SHARD}.h5", shard=range(SHARDS), allow_missing=True),
    output:
        f"{HEATMAPS}.h5",
    log:
        f"logs/{STUDY}/join_heatmaps/{{model}}.{{run}}{{geometry}}.log",
    benchmark:
        f"logs/{STUDY}/join_heatmaps/{{model}}.{{run}}{{geometry}}.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        script=script("join_heatmaps.py"),
        code=code("join_heatmaps.py"),
    shell:
        "python {params.script:q} {input:q} --output {output:q} 2> {log:q}"


# Explainers that cost much each: a job and a file of its own for each of them.
rule extract_attributions:
    input:
        data=study.data_file(),
        weights=f"results/{STUDY}/weights/{{model}}/{{run}}.safetensors",
    output:
        f"results/{STUDY}/heatmaps/{{model}}/{{run}}.{{attribution}}.h5",
    log:
        f"logs/{STUDY}/extract_attributions/{{model}}.{{run}}.{{attribution}}.log",
    benchmark:
        f"logs/{STUDY}/extract_attributions/{{model}}.{{run}}.{{attribution}}.tsv"
    conda:
        ENVIRONMENT
    threads: config["threads"]
    resources:
        gpu=study.gpus_of_a_job,
        mem_mb=growing(3000),
        runtime=growing(1440),
    params:
        script=script("extract_attributions.py"),
        code=code("extract_attributions.py"),
        settings=lambda wildcards: study.attribution_flags(wildcards.attribution),
    shell:
        "python {params.script:q} --data {input.data:q} --weights {input.weights:q} "
        "--model {wildcards.model:q} {params.settings} --threads {threads} --output {output:q} 2> {log:q}"
