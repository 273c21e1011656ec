# What a reader takes away: Table 1 and the figures, all drawn from the score files.


rule make_table1:
    input:
        summary=rules.collect_scores.output,
        paper_protocol=paper_protocol_scores(config),
    output:
        csv=shown(
            f"results/{STUDY}/tables/table1.csv",
            "Tables",
            "Table 1",
            "values (CSV)",
            "table1",
        ),
        markdown=f"results/{STUDY}/tables/table1.md",
        latex=f"results/{STUDY}/tables/table1.tex",
        html=shown(
            f"results/{STUDY}/tables/table1.html",
            "Tables",
            "Table 1",
            "page (HTML)",
            "table1",
        ),
    log:
        f"logs/{STUDY}/make_table1.log",
    benchmark:
        f"logs/{STUDY}/make_table1.tsv"
    localrule: True
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("make_table1.py"),
        code=code_digest("make_table1.py"),
        paper=paper_flag(config),
        note=NOTE,
    shell:
        "python {params.script:q} --summary {input.summary:q} --output {output.csv:q} "
        "--paper-protocol {input.paper_protocol:q} --markdown {output.markdown:q} --latex {output.latex:q} "
        "--html {output.html:q} {params.paper} "
        "--caption-note={params.note:q} 2> {log:q}"


rule check_claims:
    input:
        summary=rules.collect_scores.output,
        comparisons=rules.compare_models.output.pairs,
    output:
        csv=f"results/{STUDY}/tables/claims.csv",
        markdown=f"results/{STUDY}/tables/claims.md",
        html=shown(
            f"results/{STUDY}/tables/claims.html",
            "Tables",
            "The paper's claims",
            "page (HTML)",
            "claims",
        ),
    log:
        f"logs/{STUDY}/check_claims.log",
    benchmark:
        f"logs/{STUDY}/check_claims.tsv"
    localrule: True
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("check_claims.py"),
        code=code_digest("check_claims.py"),
        paper=claims_flags(config),
        note=NOTE,
    shell:
        "python {params.script:q} --summary {input.summary:q} --comparisons {input.comparisons:q} "
        "--output {output.csv:q} --markdown {output.markdown:q} --html {output.html:q} "
        "{params.paper} --caption-note={params.note:q} 2> {log:q}"


rule plot_figure1:
    input:
        data=data_file(),
        scores=figure1_files("scores", ".csv"),
        heatmaps=figure1_files("heatmaps", ".h5"),
    output:
        figure("figure1", "Figure 1: maps over images"),
    log:
        f"logs/{STUDY}/plot_figure1.log",
    benchmark:
        f"logs/{STUDY}/plot_figure1.tsv"
    localrule: True
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        script=script("plot_figure1.py"),
        code=code_digest("plot_figure1.py"),
        explainer=figure1_explainer(config),
        images=config["figures"]["overlay_images"],
        note=NOTE,
        protocol=as_json(protocol(config).as_dict()),
    shell:
        "python {params.script:q} --data {input.data:q} --heatmaps {input.heatmaps:q} "
        "--scores {input.scores:q} --explainer {params.explainer} --images {params.images} "
        "--protocol {params.protocol:q} "
        "--note={params.note:q} --output {output:q} 2> {log:q}"


rule plot_figure2:
    input:
        rules.collect_scores.output,
    output:
        figure("figure2", "Figure 2: without and with DCLS"),
    log:
        f"logs/{STUDY}/plot_figure2.log",
    benchmark:
        f"logs/{STUDY}/plot_figure2.tsv"
    localrule: True
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_figure2.py"),
        code=code_digest("plot_figure2.py"),
        note=NOTE,
    shell:
        "python {params.script:q} --summary {input:q} --note={params.note:q} "
        "--output {output:q} 2> {log:q}"


rule plot_figure3:
    input:
        rules.collect_scores.output,
    output:
        figure("figure3", "Figure 3: scores of all networks"),
    log:
        f"logs/{STUDY}/plot_figure3.log",
    benchmark:
        f"logs/{STUDY}/plot_figure3.tsv"
    localrule: True
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_figure3.py"),
        code=code_digest("plot_figure3.py"),
        note=NOTE,
    shell:
        "python {params.script:q} --summary {input:q} --note={params.note:q} "
        "--output {output:q} 2> {log:q}"


rule plot_figure4:
    input:
        rules.collect_scores.output,
    output:
        figure("figure4", "Figure 4: size and score"),
    log:
        f"logs/{STUDY}/plot_figure4.log",
    benchmark:
        f"logs/{STUDY}/plot_figure4.tsv"
    localrule: True
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_figure4.py"),
        code=code_digest("plot_figure4.py"),
        note=NOTE,
    shell:
        "python {params.script:q} --summary {input:q} --note={params.note:q} "
        "--output {output:q} 2> {log:q}"


rule plot_threshold_sweep:
    input:
        curves=rules.collect_sweeps.output.curves,
        best=rules.collect_sweeps.output.table,
    output:
        figure("threshold_sweep", "Threshold sweep"),
    log:
        f"logs/{STUDY}/plot_threshold_sweep.log",
    benchmark:
        f"logs/{STUDY}/plot_threshold_sweep.tsv"
    localrule: True
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_threshold_sweep.py"),
        code=code_digest("plot_threshold_sweep.py"),
        threshold=protocol(config).threshold,
        label=score_label(config),
        note=NOTE,
    shell:
        "python {params.script:q} --curves {input.curves:q} --best {input.best:q} "
        "--threshold {params.threshold} --label {params.label:q} --note={params.note:q} "
        "--output {output:q} 2> {log:q}"


rule plot_sensitivity:
    input:
        rules.collect_sensitivity.output.table,
    output:
        figure("sensitivity", "Sensitivity to the protocol"),
    log:
        f"logs/{STUDY}/plot_sensitivity.log",
    benchmark:
        f"logs/{STUDY}/plot_sensitivity.tsv"
    localrule: True
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_sensitivity.py"),
        code=code_digest("plot_sensitivity.py"),
        label=score_label(config),
        note=NOTE,
    shell:
        "python {params.script:q} {input:q} --label {params.label:q} --note={params.note:q} "
        "--output {output:q} 2> {log:q}"


rule plot_comparisons:
    input:
        rules.compare_models.output.pairs,
    output:
        figure("comparisons", "Differences on the same images"),
    log:
        f"logs/{STUDY}/plot_comparisons.log",
    benchmark:
        f"logs/{STUDY}/plot_comparisons.tsv"
    localrule: True
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_comparisons.py"),
        code=code_digest("plot_comparisons.py"),
        note=NOTE,
    shell:
        "python {params.script:q} --comparisons {input:q} "
        "--note={params.note:q} --output {output:q} 2> {log:q}"


rule plot_accuracy:
    input:
        summary=rules.collect_scores.output,
        correlations=rules.compare_models.output.correlations,
    output:
        figure("accuracy", "Top-1 accuracy against score"),
    log:
        f"logs/{STUDY}/plot_accuracy.log",
    benchmark:
        f"logs/{STUDY}/plot_accuracy.tsv"
    localrule: True
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_accuracy.py"),
        code=code_digest("plot_accuracy.py"),
        note=NOTE,
    shell:
        "python {params.script:q} --summary {input.summary:q} --correlations {input.correlations:q} "
        "--note={params.note:q} --output {output:q} 2> {log:q}"
