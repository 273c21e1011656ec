# Single images and their maps: Figure 1, Figures 5, 6, ... (two explainers), and the gallery.

from human_alignment.outcome.pages import GALLERY_PAGE


rule plot_figure1:
    input:
        data=study.data_file(),
        scores=study.figure1_files("scores", ".parquet"),
        heatmaps=study.figure1_files("heatmaps", ".h5"),
    output:
        figure("figure1", "Figure 1: maps over images"),
    log:
        f"logs/{STUDY}/plot_figure1.log",
    benchmark:
        f"logs/{STUDY}/plot_figure1.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        script=script("plot_figure1.py"),
        code=code("plot_figure1.py"),
        explainer=study.figure1_explainer,
        images=config["figures"]["overlay_images"],
        note=NOTE,
        protocol=as_json(study.protocol.as_dict()),
    shell:
        "python {params.script:q} --data {input.data:q} --heatmaps {input.heatmaps:q} "
        "--scores {input.scores:q} --explainer {params.explainer:q} --images {params.images:q} "
        "--protocol {params.protocol:q} "
        "--note={params.note:q} --output {output:q} 2> {log:q}"


rule prepare_pictures:
    input:
        study.data_file(),
    output:
        f"results/{STUDY}/data/pictures.h5",
    log:
        f"logs/{STUDY}/prepare_pictures.log",
    benchmark:
        f"logs/{STUDY}/prepare_pictures.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        script=script("prepare_pictures.py"),
        code=code("prepare_pictures.py"),
        # Parameters and not inputs, in which Snakemake would look for wildcards.
        pictures=lambda wildcards: study.pictures,
        digests=lambda wildcards: study.pictures_digests,
    shell:
        "python {params.script:q} --study {input:q} --output {output:q} "
        "{params.pictures:q} 2> {log:q}"


# Pictures have no labels and are not cropped: their maps explain the predicted class.
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
        ENVIRONMENT
    threads: config["threads"]
    resources:
        gpu=study.gpus_of_a_job,
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        script=script("extract_heatmaps.py"),
        code=code("extract_heatmaps.py"),
        layer=study.protocol.layer,
    shell:
        "python {params.script:q} --data {input.data:q} --weights {input.weights:q} "
        "--model {wildcards.model:q} --geometry full --target prediction "
        "--layers {params.layer:q} --threads {threads} --output {output:q} 2> {log:q}"


rule plot_methods:
    input:
        data=study.methods_images,
        plain=lambda wildcards: study.methods_heatmaps(wildcards.number, "plain"),
        dcls=lambda wildcards: study.methods_heatmaps(wildcards.number, "dcls"),
    output:
        figure("figure{number}", "Figure {number}: two explainers, ten images", "methods"),
    log:
        f"logs/{STUDY}/plot_methods/{{number}}.log",
    benchmark:
        f"logs/{STUDY}/plot_methods/{{number}}.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        script=script("plot_methods.py"),
        code=code("plot_methods.py"),
        network=lambda wildcards: study.methods_model(wildcards.number),
        images=config["figures"]["methods_images"],
        note=NOTE,
        protocol=as_json(study.protocol.as_dict()),
        explainers=study.explainer_flags(),
    shell:
        "python {params.script:q} --data {input.data:q} --plain {input.plain:q} "
        "--dcls {input.dcls:q} --network {params.network:q} --images {params.images:q} "
        "--protocol {params.protocol:q} {params.explainers} --note={params.note:q} "
        "--output {output:q} 2> {log:q}"


rule make_gallery:
    input:
        data=study.data_file(),
        heatmaps=study.gallery_files(study.scored_heatmaps()),
        scores=study.gallery_files(study.score_files()),
        references=rules.score_references.output,
    output:
        shown(
            f"results/{STUDY}/gallery.html",
            "Gallery",
            "Images, maps and scores",
            "page (HTML)",
            "gallery",
        ),
    log:
        f"logs/{STUDY}/make_gallery.log",
    benchmark:
        f"logs/{STUDY}/make_gallery.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        script=script("make_gallery.py"),
        code=code("make_gallery.py", GALLERY_PAGE),
        settings=study.gallery_flags,
        study=config["study"],
        note=NOTE,
        protocol=as_json(study.protocol.as_dict()),
        maps=literal(study.reference_maps),
    shell:
        "python {params.script:q} --data {input.data:q} --heatmaps {input.heatmaps:q} "
        "--scores {input.scores:q} --references {input.references:q} {params.maps} {params.settings} "
        "--protocol {params.protocol:q} --study {params.study:q} --note={params.note:q} "
        "--output {output:q} 2> {log:q}"
