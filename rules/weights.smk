# One weights file per network and run: downloaded and converted, or trained.


rule download_checkpoint:
    output:
        f"results/{STUDY}/checkpoints/{{model}}",
    log:
        f"logs/{STUDY}/download_checkpoint/{{model}}.log",
    benchmark:
        f"logs/{STUDY}/download_checkpoint/{{model}}.tsv"
    retries: 0  # whatever --retries says: the script itself repeats what may succeed
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=3000,
        runtime=120,
        # A resource and not a parameter: a digest added later is no reason to download again.
        sha256=lambda wildcards: study.checkpoint(wildcards.model)["sha256"],
    params:
        # No code digest: an edited script is no reason to download the same checkpoint again.
        script=script("download_checkpoint.py"),
        source=lambda wildcards: study.checkpoint(wildcards.model)["url"],
    shell:
        "python {params.script:q} --source {params.source:q} --sha256={resources.sha256:q} "
        "--output {output:q} 2> {log:q}"


rule convert_checkpoint:
    input:
        lambda wildcards: study.checkpoint_file(wildcards.model),
    output:
        f"results/{STUDY}/weights/{{model}}/published.safetensors",
    log:
        f"logs/{STUDY}/convert_checkpoint/{{model}}.log",
    benchmark:
        f"logs/{STUDY}/convert_checkpoint/{{model}}.tsv"
    retries: 0  # whatever --retries says: a checkpoint that does not fit never will
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=3000,
        runtime=60,
    params:
        script=script("convert_checkpoint.py"),
        code=code("convert_checkpoint.py"),
        network=lambda wildcards: study.network(wildcards.model).as_json(),
        source=lambda wildcards: masked(study.checkpoint(wildcards.model)["url"]),
        sha256=lambda wildcards: study.checkpoint(wildcards.model)["sha256"],
    shell:
        "python {params.script:q} --model {params.network:q} --checkpoint {input:q} "
        "--source {params.source:q} --sha256={params.sha256:q} --output {output:q} 2> {log:q}"


# An interrupted training leaves its state in a hidden file beside the weights, which Snakemake does
# not know and so does not delete; the next attempt goes on from there.
rule train_model:
    input:
        images(study.training_images),
    output:
        weights=f"results/{STUDY}/weights/{{model}}/seed{{seed}}.safetensors",
        curve=f"results/{STUDY}/weights/{{model}}/seed{{seed}}.curve.csv",
    log:
        f"logs/{STUDY}/train_model/{{model}}.seed{{seed}}.log",
    benchmark:
        f"logs/{STUDY}/train_model/{{model}}.seed{{seed}}.tsv"
    priority: 1  # first: the short jobs that follow leave no core idle at the end
    conda:
        ENVIRONMENT
    threads: config["threads"] * max(1, config["train"]["gpus"])
    resources:
        **ranks(config),
        runtime=growing(60),
        minutes=config["train"]["minutes"],
    params:
        script=script("train_model.py"),
        code=code("train_model.py"),
        network=lambda wildcards: study.network(wildcards.model).as_json(),
        recipe=lambda wildcards: as_json(study.recipe(wildcards.model)),
        data=lambda wildcards: study.training_images,
        images=lambda wildcards: study.images_digest("train"),
    shell:
        "python {params.script:q} --data {params.data:q} --model {params.network:q} --recipe {params.recipe:q} --seed {wildcards.seed:q} --threads {threads} "
        "--workers {threads} --gpus {resources.gpu:q} --nodes {resources.nodes:q} --minutes {resources.minutes:q} "
        "--output {output.weights:q} --curve {output.curve:q} > {log:q} 2>&1"


rule evaluate_top1:
    input:
        weights=f"results/{STUDY}/weights/{{model}}/{{run}}.safetensors",
        own=images(study.top1_images),
    output:
        f"results/{STUDY}/weights/{{model}}/{{run}}.top1.json",
    log:
        f"logs/{STUDY}/evaluate_top1/{{model}}.{{run}}.log",
    benchmark:
        f"logs/{STUDY}/evaluate_top1/{{model}}.{{run}}.tsv"
    conda:
        ENVIRONMENT
    threads: config["threads"]
    resources:
        gpu=study.gpus_of_a_job,
        mem_mb=growing(3000),
        runtime=growing(240),
    params:
        script=script("evaluate_top1.py"),
        code=code("evaluate_top1.py"),
        images=lambda wildcards: study.top1_images,
        digest=lambda wildcards: study.images_digest("val"),
        batch_size=config["extract"]["batch_size"],
    shell:
        "python {params.script:q} --weights {input.weights:q} --images {params.images:q} "
        "--batch-size {params.batch_size:q} --threads {threads} --output {output:q} 2> {log:q}"
