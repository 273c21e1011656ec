# Figures beyond the scores: both methods on ten images (Figures 5 and 6), and what was learned.


rule prepare_pictures:
    input:
        study=data_file(),
        pictures=picture_files(config),
    output:
        f"results/{STUDY}/data/pictures.h5",
    log:
        f"logs/{STUDY}/prepare_pictures.log",
    benchmark:
        f"logs/{STUDY}/prepare_pictures.tsv"
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        script=script("prepare_pictures.py"),
        code=code_digest("prepare_pictures.py"),
    shell:
        "python {params.script:q} --study {input.study:q} --output {output:q} "
        "{input.pictures:q} 2> {log:q}"


# Pictures have no labels, and nothing of them is cut off: their maps explain the predicted class.
rule explain_pictures:
    input:
        data=rules.prepare_pictures.output,
        weights=f"results/{STUDY}/weights/{{model}}/{{run}}.safetensors",
    output:
        f"results/{STUDY}/pictures/{{model}}/{{run}}.h5",
    log:
        f"logs/{STUDY}/explain_pictures/{{model}}.{{run}}.log",
    benchmark:
        f"logs/{STUDY}/explain_pictures/{{model}}.{{run}}.tsv"
    conda:
        "../envs/human_alignment.yaml"
    threads: config["threads"]
    resources:
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        script=script("extract_heatmaps.py"),
        code=code_digest("extract_heatmaps.py"),
    shell:
        "python {params.script:q} --data {input.data:q} --weights {input.weights:q} "
        "--model {wildcards.model:q} --geometry full --target prediction "
        "--threads {threads} --output {output:q} 2> {log:q}"


rule plot_methods:
    input:
        data=methods_images(),
        plain=lambda wildcards: methods_heatmaps(methods_model(wildcards.number)),
        dcls=lambda wildcards: methods_heatmaps(methods_model(wildcards.number) + "_dcls"),
    output:
        figure("figure{number}", "Figure {number}: two explainers, ten images", "methods"),
    log:
        f"logs/{STUDY}/plot_methods/{{number}}.log",
    benchmark:
        f"logs/{STUDY}/plot_methods/{{number}}.tsv"
    localrule: True
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        script=script("plot_methods.py"),
        code=code_digest("plot_methods.py"),
        network=lambda wildcards: methods_model(wildcards.number),
        images=config["figures"]["methods_images"],
        note=NOTE,
        protocol=as_json(protocol(config).as_dict()),
    shell:
        "python {params.script:q} --data {input.data:q} --plain {input.plain:q} "
        "--dcls {input.dcls:q} --network {params.network:q} --images {params.images} "
        "--protocol {params.protocol:q} --note={params.note:q} --output {output:q} 2> {log:q}"


rule plot_positions:
    input:
        dcls_weights(config),
    output:
        figure("positions", "Learned positions of DCLS"),
    log:
        f"logs/{STUDY}/plot_positions.log",
    benchmark:
        f"logs/{STUDY}/plot_positions.tsv"
    localrule: True
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        script=script("plot_positions.py"),
        code=code_digest("plot_positions.py"),
        note=NOTE,
    shell:
        "python {params.script:q} {input:q} --note={params.note:q} --output {output:q} 2> {log:q}"


rule plot_curves:
    input:
        curve_files(config),
    output:
        figure("curves", "Learning curves"),
    log:
        f"logs/{STUDY}/plot_curves.log",
    benchmark:
        f"logs/{STUDY}/plot_curves.tsv"
    localrule: True
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_curves.py"),
        code=code_digest("plot_curves.py"),
        note=NOTE,
    shell:
        "python {params.script:q} {input:q} --note={params.note:q} --output {output:q} 2> {log:q}"
