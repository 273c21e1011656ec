# Raw heatmaps of every explainer, from one forward pass per image. The file `<run>.h5` holds the
# protocol's own geometry, `<run>.full.h5` or `<run>.released.h5` a named one.


rule extract_heatmaps:
    input:
        data=data_file(),
        weights=f"results/{STUDY}/weights/{{model}}/{{run}}.safetensors",
    output:
        f"results/{STUDY}/heatmaps/{{model}}/{{run}}{{geometry}}.h5",
    log:
        f"logs/{STUDY}/extract_heatmaps/{{model}}.{{run}}{{geometry}}.log",
    benchmark:
        f"logs/{STUDY}/extract_heatmaps/{{model}}.{{run}}{{geometry}}.tsv"
    conda:
        "../envs/human_alignment.yaml"
    threads: config["threads"]
    resources:
        mem_mb=3000,
        runtime=480,
    params:
        script=script("extract_heatmaps.py"),
        code=code_digest("extract_heatmaps.py"),
        explainers=" ".join(config["extract"]["explainers"]),
        geometry=lambda wildcards: wildcards.geometry[1:] or protocol(config).geometry,
        target=protocol(config).target,
        batch_size=config["extract"]["batch_size"],
    shell:
        "python {params.script:q} --data {input.data:q} --weights {input.weights:q} "
        "--model {wildcards.model:q} --explainers {params.explainers} "
        "--geometry {params.geometry} --target {params.target} "
        "--batch-size {params.batch_size} --threads {threads} --output {output:q} 2> {log:q}"
