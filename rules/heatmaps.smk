# Raw heatmaps of every explainer, from one forward pass per image. The file `<run>.h5` holds the
# protocol's own geometry, `<run>.full.h5` or `<run>.crop.h5` a named one. With more than one
# shard a job does a part of the images and join_heatmaps makes the file that one job would write.

HEATMAPS = f"results/{STUDY}/heatmaps/{{model}}/{{run}}{{geometry}}"
SHARDS = config["extract"]["shards"]
SHARD = ".shard{shard}" if SHARDS > 1 else ""


rule extract_heatmaps:
    input:
        data=data_file(),
        weights=f"results/{STUDY}/weights/{{model}}/{{run}}.safetensors",
    output:
        temp(f"{HEATMAPS}{SHARD}.h5") if SHARDS > 1 else f"{HEATMAPS}.h5",
    log:
        f"logs/{STUDY}/extract_heatmaps/{{model}}.{{run}}{{geometry}}{SHARD}.log",
    benchmark:
        f"logs/{STUDY}/extract_heatmaps/{{model}}.{{run}}{{geometry}}{SHARD}.tsv"
    conda:
        "../envs/human_alignment.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(3000),
        runtime=growing(480),
    params:
        script=script("extract_heatmaps.py"),
        code=code_digest("extract_heatmaps.py"),
        explainers=" ".join(config["extract"]["explainers"]),
        geometry=lambda wildcards: wildcards.geometry[1:] or protocol(config).geometry,
        target=protocol(config).target,
        precision=config["extract"]["precision"],
        compile="--compile" if config["extract"]["compile"] else "",
        batch_size=config["extract"]["batch_size"],
        shard=lambda wildcards: f"{wildcards.get('shard', 0)}/{SHARDS}",
    shell:
        "python {params.script:q} --data {input.data:q} --weights {input.weights:q} "
        "--model {wildcards.model:q} --explainers {params.explainers} "
        "--geometry {params.geometry} --target {params.target} --precision {params.precision} "
        "{params.compile} --batch-size {params.batch_size} --shard {params.shard} "
        "--threads {threads} --output {output:q} 2> {log:q}"


if SHARDS > 1:

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
            "../envs/human_alignment.yaml"
        threads: 1
        resources:
            mem_mb=1000,
            runtime=30,
        params:
            script=script("join_heatmaps.py"),
            code=code_digest("join_heatmaps.py"),
        shell:
            "python {params.script:q} {input:q} --output {output:q} 2> {log:q}"


rule extract_attributions:
    input:
        data=data_file(),
        weights=f"results/{STUDY}/weights/{{model}}/{{run}}.safetensors",
    output:
        f"results/{STUDY}/heatmaps/{{model}}/{{run}}.attributions.h5",
    log:
        f"logs/{STUDY}/extract_attributions/{{model}}.{{run}}.log",
    benchmark:
        f"logs/{STUDY}/extract_attributions/{{model}}.{{run}}.tsv"
    conda:
        "../envs/human_alignment.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(3000),
        runtime=growing(1440),
    params:
        script=script("extract_attributions.py"),
        code=code_digest("extract_attributions.py"),
        explainers=" ".join(config["attributions"]["explainers"]),
        geometry=protocol(config).geometry,
        target=protocol(config).target,
        images=config["attributions"]["images"],
        masks=config["attributions"]["masks"],
        seed=config["attributions"]["seed"],
        batch_size=config["extract"]["batch_size"],
    shell:
        "python {params.script:q} --data {input.data:q} --weights {input.weights:q} "
        "--model {wildcards.model:q} --explainers {params.explainers} "
        "--geometry {params.geometry} --target {params.target} --images {params.images} "
        "--masks {params.masks} --seed {params.seed} --batch-size {params.batch_size} "
        "--threads {threads} --output {output:q} 2> {log:q}"
