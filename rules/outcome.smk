# What a reader takes away: Table 1 and the figures, all drawn from the score files.


rule make_table1:
    input:
        rules.collect_scores.output,
    output:
        csv=report(
            f"results/{STUDY}/tables/table1.csv",
            category="Table 1",
            caption="../report/table1.rst",
        ),
        markdown=f"results/{STUDY}/tables/table1.md",
        latex=f"results/{STUDY}/tables/table1.tex",
        html=f"results/{STUDY}/tables/table1.html",
    log:
        f"logs/{STUDY}/make_table1.log",
    benchmark:
        f"logs/{STUDY}/make_table1.tsv"
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
        note=config["note"],
    shell:
        "python {params.script:q} --summary {input:q} --output {output.csv:q} "
        "--markdown {output.markdown:q} --latex {output.latex:q} "
        "--html {output.html:q} {params.paper} "
        "--caption-note {params.note:q} 2> {log:q}"


rule check_claims:
    input:
        summary=rules.collect_scores.output,
        comparisons=rules.compare_models.output.pairs,
    output:
        csv=f"results/{STUDY}/tables/claims.csv",
        markdown=f"results/{STUDY}/tables/claims.md",
        html=report(
            f"results/{STUDY}/tables/claims.html",
            category="Claims",
            caption="../report/claims.rst",
        ),
    log:
        f"logs/{STUDY}/check_claims.log",
    benchmark:
        f"logs/{STUDY}/check_claims.tsv"
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
        note=config["note"],
    shell:
        "python {params.script:q} --summary {input.summary:q} --comparisons {input.comparisons:q} "
        "--output {output.csv:q} --markdown {output.markdown:q} --html {output.html:q} "
        "{params.paper} --caption-note {params.note:q} 2> {log:q}"


rule plot_figure1:
    input:
        data=data_file(),
        scores=figure1_files("scores", ".csv"),
        heatmaps=figure1_files("heatmaps", ".h5"),
    output:
        report(
            multiext(f"results/{STUDY}/figures/figure1", ".png", ".pdf"),
            category="Figures",
            caption="../report/figure1.rst",
        ),
    log:
        f"logs/{STUDY}/plot_figure1.log",
    benchmark:
        f"logs/{STUDY}/plot_figure1.tsv"
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        script=script("plot_figure1.py"),
        code=code_digest("plot_figure1.py"),
        images=config["figures"]["overlay_images"],
        note=config["note"],
        protocol=as_json(protocol(config).as_dict()),
    shell:
        "python {params.script:q} --data {input.data:q} --heatmaps {input.heatmaps:q} "
        "--scores {input.scores:q} --images {params.images} --protocol {params.protocol:q} "
        "--note {params.note:q} --output {output:q} 2> {log:q}"


rule plot_figure2:
    input:
        rules.collect_scores.output,
    output:
        report(
            multiext(f"results/{STUDY}/figures/figure2", ".png", ".pdf"),
            category="Figures",
            caption="../report/figure2.rst",
        ),
    log:
        f"logs/{STUDY}/plot_figure2.log",
    benchmark:
        f"logs/{STUDY}/plot_figure2.tsv"
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_figure2.py"),
        code=code_digest("plot_figure2.py"),
        note=config["note"],
    shell:
        "python {params.script:q} --summary {input:q} --note {params.note:q} "
        "--output {output:q} 2> {log:q}"


rule plot_figure3:
    input:
        rules.collect_scores.output,
    output:
        report(
            multiext(f"results/{STUDY}/figures/figure3", ".png", ".pdf"),
            category="Figures",
            caption="../report/figure3.rst",
        ),
    log:
        f"logs/{STUDY}/plot_figure3.log",
    benchmark:
        f"logs/{STUDY}/plot_figure3.tsv"
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_figure3.py"),
        code=code_digest("plot_figure3.py"),
        note=config["note"],
    shell:
        "python {params.script:q} --summary {input:q} --note {params.note:q} "
        "--output {output:q} 2> {log:q}"


rule plot_figure4:
    input:
        rules.collect_scores.output,
    output:
        report(
            multiext(f"results/{STUDY}/figures/figure4", ".png", ".pdf"),
            category="Figures",
            caption="../report/figure4.rst",
        ),
    log:
        f"logs/{STUDY}/plot_figure4.log",
    benchmark:
        f"logs/{STUDY}/plot_figure4.tsv"
    conda:
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("plot_figure4.py"),
        code=code_digest("plot_figure4.py"),
        note=config["note"],
    shell:
        "python {params.script:q} --summary {input:q} --note {params.note:q} "
        "--output {output:q} 2> {log:q}"
