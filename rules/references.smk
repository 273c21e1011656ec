# What a score is worth: maps that no network made, scored as heatmaps are; and what the heatmaps of
# each network share with maps that know nothing of the image.


rule score_references:
    input:
        study.data_file(),
    output:
        f"results/{STUDY}/scores/references.h5",
    log:
        f"logs/{STUDY}/score_references.log",
    benchmark:
        f"logs/{STUDY}/score_references.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(120),
    params:
        script=script("score_references.py"),
        code=code("score_references.py"),
        protocol=as_json(study.protocol.as_dict()),
        settings=literal(study.reference_flags),
        digests=study.reference_digests,
    shell:
        "python {params.script:q} --data {input:q} --protocol {params.protocol:q} "
        "{params.settings} --rho {output:q} 2> {log:q}"


rule summarise_references:
    input:
        rules.score_references.output,
    output:
        table=f"results/{STUDY}/scores/references.csv",
        summary=f"results/{STUDY}/scores/references.json",
    log:
        f"logs/{STUDY}/summarise_references.log",
    benchmark:
        f"logs/{STUDY}/summarise_references.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(30),
    params:
        script=script("summarise_references.py"),
        code=code("summarise_references.py"),
        statistics=as_json(config["statistics"]),
    shell:
        "python {params.script:q} {input:q} --statistics {params.statistics:q} "
        "--output {output.table:q} --summary {output.summary:q} 2> {log:q}"


rule score_controls:
    input:
        data=study.data_file(),
        heatmaps=f"results/{STUDY}/heatmaps/{{model}}/{{run}}.h5",
        references=rules.score_references.output,
    output:
        f"results/{STUDY}/scores/{{model}}/{{run}}.controls.h5",
    log:
        f"logs/{STUDY}/score_controls/{{model}}.{{run}}.log",
    benchmark:
        f"logs/{STUDY}/score_controls/{{model}}.{{run}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(120),
    params:
        script=script("score_controls.py"),
        code=code("score_controls.py"),
        protocol=as_json(study.protocol.as_dict()),
        settings=flags(config["controls"] | {"explainers": study.explainers}),
    shell:
        "python {params.script:q} --data {input.data:q} --heatmaps {input.heatmaps:q} "
        "--references {input.references:q} --protocol {params.protocol:q} {params.settings} "
        "--output {output:q} 2> {log:q}"


rule collect_controls:
    input:
        scores=study.score_files(),
        controls=study.files("scores", ".controls.h5"),
        rho=rules.score_references.output,
        references=rules.summarise_references.output.table,
        summary=rules.summarise_references.output.summary,
    output:
        [
            f"results/{STUDY}/tables/{name}.csv"
            for name in ("references", "skill", "partial", "smoothness", "spectra")
        ],
    log:
        f"logs/{STUDY}/collect_controls.log",
    benchmark:
        f"logs/{STUDY}/collect_controls.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        script=script("collect_controls.py"),
        code=code("collect_controls.py"),
        folder=lambda wildcards, output: str(Path(output[0]).parent),
        twins=as_json(study.twins),
        statistics=as_json(config["statistics"]),
    shell:
        "python {params.script:q} --scores {input.scores:q} --controls {input.controls:q} "
        "--rho {input.rho:q} --references {input.references:q} --summary {input.summary:q} "
        "--twins {params.twins:q} --statistics {params.statistics:q} --output {params.folder:q} "
        "2> {log:q}"
