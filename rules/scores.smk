# Spearman correlation of heatmaps with human maps: per image, per network, for the study.


rule score_alignment:
    input:
        data=data_file(),
        heatmaps=f"results/{STUDY}/heatmaps/{{model}}/{{run}}{{part}}.h5",
    output:
        scores=f"results/{STUDY}/scores/{{model}}/{{run}}{{part}}.csv",
        summary=f"results/{STUDY}/scores/{{model}}/{{run}}{{part}}.json",
    log:
        f"logs/{STUDY}/score_alignment/{{model}}.{{run}}{{part}}.log",
    benchmark:
        f"logs/{STUDY}/score_alignment/{{model}}.{{run}}{{part}}.tsv"
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(60),
    params:
        script=script("score_alignment.py"),
        code=code_digest("score_alignment.py"),
        preset=config["protocol"]["preset"],
        override=overrides(config),
        statistics=as_json(config["statistics"]),
        resamples=config["statistics"]["resamples"],
        seed=config["statistics"]["seed"],
    shell:
        "python {params.script:q} --data {input.data:q} --heatmaps {input.heatmaps:q} "
        "--protocol {params.preset} --override {params.override:q} "
        "--resamples {params.resamples} --seed {params.seed} "
        "--output {output.scores:q} --summary {output.summary:q} 2> {log:q}"


rule sweep_threshold:
    input:
        data=data_file(),
        heatmaps=f"results/{STUDY}/heatmaps/{{model}}/{{run}}.h5",
    output:
        scores=f"results/{STUDY}/scores/{{model}}/{{run}}.sweep.csv",
        choice=f"results/{STUDY}/scores/{{model}}/{{run}}.sweep.json",
    log:
        f"logs/{STUDY}/sweep_threshold/{{model}}.{{run}}.log",
    benchmark:
        f"logs/{STUDY}/sweep_threshold/{{model}}.{{run}}.tsv"
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(120),
    params:
        script=script("sweep_threshold.py"),
        code=code_digest("sweep_threshold.py"),
        preset=config["protocol"]["preset"],
        override=overrides(config),
        thresholds=" ".join(map(str, config["sweep"]["thresholds"])),
        folds=config["sweep"]["folds"],
        resamples=config["statistics"]["resamples"],
        seed=config["statistics"]["seed"],
    shell:
        "python {params.script:q} --data {input.data:q} --heatmaps {input.heatmaps:q} "
        "--protocol {params.preset} --override {params.override:q} "
        "--thresholds {params.thresholds} --folds {params.folds} "
        "--resamples {params.resamples} --seed {params.seed} "
        "--output {output.scores:q} --choice {output.choice:q} 2> {log:q}"


rule protocol_sensitivity:
    input:
        data=data_file(),
        heatmaps=lambda wildcards: sensitivity_heatmaps(config, wildcards),
    output:
        f"results/{STUDY}/scores/{{model}}/{{run}}.sensitivity.csv",
    log:
        f"logs/{STUDY}/protocol_sensitivity/{{model}}.{{run}}.log",
    benchmark:
        f"logs/{STUDY}/protocol_sensitivity/{{model}}.{{run}}.tsv"
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(120),
    params:
        script=script("protocol_sensitivity.py"),
        code=code_digest("protocol_sensitivity.py"),
        override=overrides(config),
        resamples=config["statistics"]["resamples"],
        seed=config["statistics"]["seed"],
    shell:
        "python {params.script:q} --data {input.data:q} --heatmaps {input.heatmaps:q} "
        "--override {params.override:q} --resamples {params.resamples} --seed {params.seed} "
        "--output {output:q} 2> {log:q}"


rule collect_scores:
    input:
        summaries=summaries(config),
        top1=accuracies(config),
    output:
        f"results/{STUDY}/scores/summary.csv",
    log:
        f"logs/{STUDY}/collect_scores.log",
    benchmark:
        f"logs/{STUDY}/collect_scores.tsv"
    localrule: True
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("collect_scores.py"),
        code=code_digest("collect_scores.py"),
    shell:
        "python {params.script:q} --summaries {input.summaries:q} --top1 {input.top1:q} "
        "--output {output:q} 2> {log:q}"


rule compare_models:
    input:
        scores=score_files(config),
        summary=rules.collect_scores.output,
    output:
        pairs=f"results/{STUDY}/scores/comparisons.csv",
        correlations=f"results/{STUDY}/scores/correlations.csv",
    log:
        f"logs/{STUDY}/compare_models.log",
    benchmark:
        f"logs/{STUDY}/compare_models.tsv"
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        script=script("compare_models.py"),
        code=code_digest("compare_models.py"),
        settings=as_json(config["statistics"]),
        resamples=config["statistics"]["resamples"],
        seed=config["statistics"]["seed"],
    shell:
        "python {params.script:q} --scores {input.scores:q} --summary {input.summary:q} "
        "--resamples {params.resamples} --seed {params.seed} "
        "--output {output.pairs:q} --correlations {output.correlations:q} 2> {log:q}"


rule evaluate_measures:
    input:
        data=data_file(),
        heatmaps=f"results/{STUDY}/heatmaps/{{model}}/{{run}}.h5",
    output:
        f"results/{STUDY}/scores/{{model}}/{{run}}.measures.csv",
    log:
        f"logs/{STUDY}/evaluate_measures/{{model}}.{{run}}.log",
    benchmark:
        f"logs/{STUDY}/evaluate_measures/{{model}}.{{run}}.tsv"
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(120),
    params:
        script=script("evaluate_measures.py"),
        code=code_digest("evaluate_measures.py"),
        measures=" ".join(config["measures"]),
        preset=config["protocol"]["preset"],
        override=overrides(config),
    shell:
        "python {params.script:q} --data {input.data:q} --heatmaps {input.heatmaps:q} "
        "--measures {params.measures} --protocol {params.preset} "
        "--override {params.override:q} --output {output:q} 2> {log:q}"


rule collect_measures:
    input:
        run_files("scores", ".measures.csv"),
    output:
        csv=f"results/{STUDY}/tables/measures.csv",
        markdown=f"results/{STUDY}/tables/measures.md",
    log:
        f"logs/{STUDY}/collect_measures.log",
    benchmark:
        f"logs/{STUDY}/collect_measures.tsv"
    localrule: True
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        script=script("collect_measures.py"),
        code=code_digest("collect_measures.py"),
        resamples=config["statistics"]["resamples"],
        seed=config["statistics"]["seed"],
    shell:
        "python {params.script:q} {input:q} --resamples {params.resamples} "
        "--seed {params.seed} --output {output.csv:q} --markdown {output.markdown:q} 2> {log:q}"
