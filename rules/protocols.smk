# What the conventions of the score are worth: thresholds swept, and each field of the protocol
# changed alone.


rule sweep_threshold:
    input:
        data=study.data_file(),
        heatmaps=f"results/{STUDY}/heatmaps/{{model}}/{{run}}.h5",
    output:
        f"results/{STUDY}/scores/{{model}}/{{run}}.sweep.h5",
    log:
        f"logs/{STUDY}/sweep_threshold/{{model}}.{{run}}.log",
    benchmark:
        f"logs/{STUDY}/sweep_threshold/{{model}}.{{run}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(120),
    params:
        script=script("sweep_threshold.py"),
        code=code("sweep_threshold.py"),
        protocol=as_json(study.protocol.as_dict()),
        thresholds=as_json(config["sweep"]["thresholds"]),
    shell:
        "python {params.script:q} --data {input.data:q} --heatmaps {input.heatmaps:q} "
        "--protocol {params.protocol:q} --thresholds {params.thresholds:q} "
        "--output {output:q} 2> {log:q}"


rule collect_sweeps:
    input:
        study.files("scores", ".sweep.h5"),
    output:
        curves=f"results/{STUDY}/scores/sweeps.csv",
        table=f"results/{STUDY}/tables/threshold_sweep.csv",
        markdown=f"results/{STUDY}/tables/threshold_sweep.md",
    log:
        f"logs/{STUDY}/collect_sweeps.log",
    benchmark:
        f"logs/{STUDY}/collect_sweeps.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        script=script("collect_sweeps.py"),
        code=code("collect_sweeps.py"),
        threshold=study.protocol.threshold,
        folds=config["sweep"]["folds"],
        twins=as_json(study.twins),
        statistics=as_json(config["statistics"]),
    shell:
        "python {params.script:q} {input:q} --threshold {params.threshold:q} "
        "--folds {params.folds:q} --twins {params.twins:q} --statistics {params.statistics:q} "
        "--curves {output.curves:q} --output {output.table:q} "
        "--markdown {output.markdown:q} 2> {log:q}"


rule protocol_sensitivity:
    input:
        data=study.data_file(),
        heatmaps=lambda wildcards: study.sensitivity_heatmaps(wildcards),
    output:
        f"results/{STUDY}/scores/{{model}}/{{run}}.sensitivity.h5",
    log:
        f"logs/{STUDY}/protocol_sensitivity/{{model}}.{{run}}.log",
    benchmark:
        f"logs/{STUDY}/protocol_sensitivity/{{model}}.{{run}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(120),
    params:
        script=script("protocol_sensitivity.py"),
        code=code("protocol_sensitivity.py"),
        protocol=as_json(study.protocol_of("released").as_dict()),
        other=as_json(study.protocol_of("paper").as_dict()),
        explainers=study.explainer_flags(),
    shell:
        "python {params.script:q} --data {input.data:q} --heatmaps {input.heatmaps:q} "
        "--protocol {params.protocol:q} --other {params.other:q} {params.explainers} "
        "--output {output:q} 2> {log:q}"


rule collect_sensitivity:
    input:
        study.files("scores", ".sensitivity.h5"),
    output:
        table=f"results/{STUDY}/tables/sensitivity.csv",
        markdown=f"results/{STUDY}/tables/sensitivity.md",
        paper=f"results/{STUDY}/scores/paper_protocol.csv",
    log:
        f"logs/{STUDY}/collect_sensitivity.log",
    benchmark:
        f"logs/{STUDY}/collect_sensitivity.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        script=script("collect_sensitivity.py"),
        code=code("collect_sensitivity.py"),
        twins=as_json(study.twins),
        statistics=as_json(config["statistics"]),
    shell:
        "python {params.script:q} {input:q} --twins {params.twins:q} "
        "--statistics {params.statistics:q} --output {output.table:q} "
        "--markdown {output.markdown:q} --paper-protocol {output.paper:q} 2> {log:q}"
