# Figures of scores, and of what the networks learned.


rule plot_figure2:
    input:
        summary=rules.collect_scores.output,
        references=rules.collect_controls.output[0],
    output:
        figure("figure2", "Figure 2: without and with DCLS"),
    log:
        f"logs/{STUDY}/plot_figure2.log",
    benchmark:
        f"logs/{STUDY}/plot_figure2.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_figure2.py"),
        code=code("plot_figure2.py"),
        label=LABEL,
        note=NOTE,
    shell:
        "python {params.script:q} --summary {input.summary:q} --references {input.references:q} "
        "{params.label} --note={params.note:q} --output {output:q} 2> {log:q}"


use rule plot_figure2 as plot_figure3 with:
    output:
        figure("figure3", "Figure 3: scores of all networks"),
    log:
        f"logs/{STUDY}/plot_figure3.log",
    benchmark:
        f"logs/{STUDY}/plot_figure3.tsv"
    params:
        script=script("plot_figure3.py"),
        code=code("plot_figure3.py"),
        label=LABEL,


use rule plot_figure2 as plot_figure4 with:
    output:
        figure("figure4", "Figure 4: size and score"),
    log:
        f"logs/{STUDY}/plot_figure4.log",
    benchmark:
        f"logs/{STUDY}/plot_figure4.tsv"
    params:
        script=script("plot_figure4.py"),
        code=code("plot_figure4.py"),
        label=LABEL,


rule plot_threshold_sweep:
    input:
        curves=rules.collect_sweeps.output.curves,
        best=rules.collect_sweeps.output.table,
        summary=rules.collect_scores.output,
    output:
        figure("threshold_sweep", "Threshold sweep"),
    log:
        f"logs/{STUDY}/plot_threshold_sweep.log",
    benchmark:
        f"logs/{STUDY}/plot_threshold_sweep.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_threshold_sweep.py"),
        code=code("plot_threshold_sweep.py"),
        label=LABEL,
        threshold=study.protocol.threshold,
        note=NOTE,
    shell:
        "python {params.script:q} --curves {input.curves:q} --best {input.best:q} "
        "--summary {input.summary:q} {params.label} --threshold {params.threshold:q} "
        "--note={params.note:q} --output {output:q} 2> {log:q}"


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
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_sensitivity.py"),
        code=code("plot_sensitivity.py"),
        note=NOTE,
    shell:
        "python {params.script:q} {input:q} --note={params.note:q} "
        "--output {output:q} 2> {log:q}"


rule plot_comparisons:
    input:
        comparisons=rules.compare_models.output.pairs,
        summary=rules.collect_scores.output,
    output:
        figure("comparisons", "Differences on the same images"),
    log:
        f"logs/{STUDY}/plot_comparisons.log",
    benchmark:
        f"logs/{STUDY}/plot_comparisons.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_comparisons.py"),
        code=code("plot_comparisons.py"),
        label=LABEL,
        note=NOTE,
    shell:
        "python {params.script:q} --comparisons {input.comparisons:q} "
        "--summary {input.summary:q} {params.label} --note={params.note:q} --output {output:q} 2> {log:q}"


rule plot_strata:
    input:
        strata=rules.stratify_scores.output.strata,
        summary=rules.collect_scores.output,
    output:
        figure("strata", "Scores by stratum"),
    log:
        f"logs/{STUDY}/plot_strata.log",
    benchmark:
        f"logs/{STUDY}/plot_strata.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input: 500 + 5 * int(input.size_mb),
        runtime=10,
    params:
        script=script("plot_strata.py"),
        code=code("plot_strata.py"),
        label=LABEL,
        note=NOTE,
    shell:
        "python {params.script:q} --strata {input.strata:q} --summary {input.summary:q} "
        "{params.label} --note={params.note:q} --output {output:q} 2> {log:q}"


rule plot_smoothness:
    input:
        smoothness=f"results/{STUDY}/tables/smoothness.csv",
        spectra=f"results/{STUDY}/tables/spectra.csv",
        summary=rules.collect_scores.output,
    output:
        figure("smoothness", "Scores of smoothed heatmaps"),
    log:
        f"logs/{STUDY}/plot_smoothness.log",
    benchmark:
        f"logs/{STUDY}/plot_smoothness.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_smoothness.py"),
        code=code("plot_smoothness.py"),
        label=LABEL,
        note=NOTE,
    shell:
        "python {params.script:q} --smoothness {input.smoothness:q} --spectra {input.spectra:q} "
        "--summary {input.summary:q} {params.label} --note={params.note:q} --output {output:q} 2> {log:q}"


rule plot_accuracy:
    input:
        summary=rules.collect_scores.output,
        correlations=rules.compare_models.output.correlations,
        references=rules.collect_controls.output[0],
    output:
        figure("accuracy", "Top-1 accuracy against score"),
    log:
        f"logs/{STUDY}/plot_accuracy.log",
    benchmark:
        f"logs/{STUDY}/plot_accuracy.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_accuracy.py"),
        code=code("plot_accuracy.py"),
        label=LABEL,
        note=NOTE,
    shell:
        "python {params.script:q} --summary {input.summary:q} --correlations {input.correlations:q} "
        "--references {input.references:q} {params.label} "
        "--note={params.note:q} --output {output:q} 2> {log:q}"


rule plot_positions:
    input:
        study.dcls_weights(),
    output:
        figure("positions", "Learned positions of DCLS"),
    log:
        f"logs/{STUDY}/plot_positions.log",
    benchmark:
        f"logs/{STUDY}/plot_positions.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        script=script("plot_positions.py"),
        code=code("plot_positions.py"),
        label=LABEL,
        note=NOTE,
    shell:
        "python {params.script:q} {input:q} {params.label} --note={params.note:q} "
        "--output {output:q} 2> {log:q}"


rule plot_curves:
    input:
        study.curves(),
    output:
        figure("curves", "Learning curves"),
    log:
        f"logs/{STUDY}/plot_curves.log",
    benchmark:
        f"logs/{STUDY}/plot_curves.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        script=script("plot_curves.py"),
        code=code("plot_curves.py"),
        label=LABEL,
        twins=as_json(study.twins),
        note=NOTE,
    shell:
        "python {params.script:q} {input:q} --twins {params.twins:q} {params.label} "
        "--note={params.note:q} --output {output:q} 2> {log:q}"
