# Spearman correlation of heatmaps with human maps: per image, per network, for the study.
# The correlating rules store every image's rho. Resamples and intervals are made from these files
# by the rules that collect them, so that other `statistics` correlate nothing again.


rule score_alignment:
    input:
        data=study.data_file(),
        heatmaps=f"results/{STUDY}/heatmaps/{{model}}/{{run}}{{part}}.h5",
    output:
        scores=f"results/{STUDY}/scores/{{model}}/{{run}}{{part}}.parquet",
        source=f"results/{STUDY}/scores/{{model}}/{{run}}{{part}}.source.json",
    log:
        f"logs/{STUDY}/score_alignment/{{model}}.{{run}}{{part}}.log",
    benchmark:
        f"logs/{STUDY}/score_alignment/{{model}}.{{run}}{{part}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(60),
    params:
        script=script("score_alignment.py"),
        code=code("score_alignment.py"),
        protocol=as_json(study.protocol.as_dict()),
        explainers=lambda wildcards: study.explainer_flags(wildcards.part),
    shell:
        "python {params.script:q} --data {input.data:q} --heatmaps {input.heatmaps:q} "
        "--protocol {params.protocol:q} {params.explainers} --output {output.scores:q} 2> {log:q}"


rule export_scores:
    input:
        rules.score_alignment.output.scores,
    output:
        f"results/{STUDY}/scores/{{model}}/{{run}}{{part}}.csv",
    log:
        f"logs/{STUDY}/export_scores/{{model}}.{{run}}{{part}}.log",
    benchmark:
        f"logs/{STUDY}/export_scores/{{model}}.{{run}}{{part}}.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        script=script("export_scores.py"),
        code=code("export_scores.py"),
    shell:
        "python {params.script:q} {input:q} --output {output:q} 2> {log:q}"


rule collect_scores:
    input:
        scores=study.score_files(),
        top1=study.accuracies(),
    output:
        f"results/{STUDY}/scores/summary.csv",
    log:
        f"logs/{STUDY}/collect_scores.log",
    benchmark:
        f"logs/{STUDY}/collect_scores.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        script=script("collect_scores.py"),
        code=code("collect_scores.py"),
        own_top1=flags({"own_top1": study.own_top1}),
        twins=as_json(study.twins),
        statistics=as_json(config["statistics"]),
    shell:
        "python {params.script:q} --scores {input.scores:q} --top1 {input.top1:q} {params.own_top1} "
        "--twins {params.twins:q} --statistics {params.statistics:q} --output {output:q} 2> {log:q}"


rule compare_models:
    input:
        scores=study.score_files(),
        controls=study.files("scores", ".controls.h5"),
        references=rules.score_references.output,
        summary=rules.collect_scores.output,
    output:
        pairs=f"results/{STUDY}/scores/comparisons.csv",
        correlations=f"results/{STUDY}/scores/correlations.csv",
    log:
        f"logs/{STUDY}/compare_models.log",
    benchmark:
        f"logs/{STUDY}/compare_models.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        script=script("compare_models.py"),
        code=code("compare_models.py"),
        statistics=as_json(config["statistics"]),
    shell:
        "python {params.script:q} --scores {input.scores:q} --summary {input.summary:q} "
        "--controls {input.controls:q} --references {input.references:q} "
        "--statistics {params.statistics:q} "
        "--output {output.pairs:q} --correlations {output.correlations:q} 2> {log:q}"


rule stratify_scores:
    input:
        data=study.data_file(),
        scores=study.files("scores", ".parquet"),
    output:
        strata=f"results/{STUDY}/tables/strata.csv",
        gains=f"results/{STUDY}/tables/dcls_by_stratum.csv",
    log:
        f"logs/{STUDY}/stratify_scores.log",
    benchmark:
        f"logs/{STUDY}/stratify_scores.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        script=script("stratify_scores.py"),
        code=code("stratify_scores.py"),
        twins=as_json(study.twins),
        statistics=as_json(config["statistics"]),
    shell:
        "python {params.script:q} --data {input.data:q} --scores {input.scores:q} "
        "--twins {params.twins:q} --statistics {params.statistics:q} "
        "--output {output.strata:q} --gains {output.gains:q} 2> {log:q}"


rule evaluate_measures:
    input:
        data=study.data_file(),
        heatmaps=f"results/{STUDY}/heatmaps/{{model}}/{{run}}.h5",
    output:
        f"results/{STUDY}/scores/{{model}}/{{run}}.measures.parquet",
    log:
        f"logs/{STUDY}/evaluate_measures/{{model}}.{{run}}.log",
    benchmark:
        f"logs/{STUDY}/evaluate_measures/{{model}}.{{run}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(120),
    params:
        script=script("evaluate_measures.py"),
        code=code("evaluate_measures.py"),
        measures=config["measures"],
        protocol=as_json(study.protocol.as_dict()),
        explainers=study.explainer_flags(),
    shell:
        "python {params.script:q} --data {input.data:q} --heatmaps {input.heatmaps:q} "
        "--measures {params.measures:q} --protocol {params.protocol:q} {params.explainers} "
        "--output {output:q} 2> {log:q}"


rule collect_measures:
    input:
        study.files("scores", ".measures.parquet"),
    output:
        csv=f"results/{STUDY}/tables/measures.csv",
        markdown=f"results/{STUDY}/tables/measures.md",
    log:
        f"logs/{STUDY}/collect_measures.log",
    benchmark:
        f"logs/{STUDY}/collect_measures.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        script=script("collect_measures.py"),
        code=code("collect_measures.py"),
        twins=as_json(study.twins),
        statistics=as_json(config["statistics"]),
    shell:
        "python {params.script:q} {input:q} --twins {params.twins:q} "
        "--statistics {params.statistics:q} "
        "--output {output.csv:q} --markdown {output.markdown:q} 2> {log:q}"
