# Tables, each also as a page that sorts; the last page says what the study is made of.

from human_alignment.outcome.pages import STUDY_PAGE, TABLES_PAGE

TABLES = {  # may be shown as pages: title, and the folder of the CSV file
    "comparisons": ("Differences on the same images", "scores"),
    "correlations": ("Accuracy, size and score", "scores"),
    "references": ("Scores without a network", "tables"),
    "skill": ("Skill beyond maps that know nothing of the image", "tables"),
    "partial": ("Agreement given the centre of the image", "tables"),
    "smoothness": ("Scores of smoothed heatmaps", "tables"),
    "sensitivity": ("Sensitivity to the protocol", "tables"),
    "strata": ("Scores by stratum", "tables"),
    "dcls_by_stratum": ("DCLS minus plain by stratum", "tables"),
    "threshold_sweep": ("Best thresholds", "tables"),
    **({"measures": ("Further measures", "tables")} if config["measures"] else {}),
}
TABLES = {name: about for name, about in TABLES.items() if name not in study.not_made}


rule make_table1:
    input:
        summary=rules.collect_scores.output,
        paper_protocol=study.paper_protocol_scores(),
        references=rules.collect_controls.output[0],
        ceilings=rules.summarise_references.output.summary,
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
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("make_table1.py"),
        code=code("make_table1.py", TABLES_PAGE, paper_numbers("table1")),
        paper=paper_numbers("table1"),
        label=LABEL,
        note=NOTE,
    shell:
        "python {params.script:q} --summary {input.summary:q} --paper {params.paper:q} "
        "--paper-protocol {input.paper_protocol:q} --references {input.references:q} "
        "--ceilings {input.ceilings:q} --output {output.csv:q} "
        "--markdown {output.markdown:q} --latex {output.latex:q} --html {output.html:q} "
        "{params.label} --caption-note={params.note:q} 2> {log:q}"


# The two networks of Figure 1, long before all others have scores.
use rule collect_scores as collect_pair with:
    input:
        scores=study.figure1_files("scores", ".parquet"),
        top1=study.pair_accuracies(),
    output:
        f"results/{STUDY}/scores/pair.csv",
    log:
        f"logs/{STUDY}/collect_pair.log",
    benchmark:
        f"logs/{STUDY}/collect_pair.tsv"


use rule make_table1 as make_pair_table with:
    input:
        summary=rules.collect_pair.output,
        paper_protocol=[],
        references=[],
        ceilings=[],
    output:
        csv=f"results/{STUDY}/tables/pair.csv",
        markdown=f"results/{STUDY}/tables/pair.md",
        latex=f"results/{STUDY}/tables/pair.tex",
        html=f"results/{STUDY}/tables/pair.html",
    log:
        f"logs/{STUDY}/make_pair_table.log",
    benchmark:
        f"logs/{STUDY}/make_pair_table.tsv"


rule make_leaderboard:
    input:
        summary=rules.collect_scores.output,
        references=rules.collect_controls.output[0],
        skill=f"results/{STUDY}/tables/skill.csv",
    output:
        csv=f"results/{STUDY}/tables/leaderboard.csv",
        html=shown(
            f"results/{STUDY}/leaderboard.html",
            "Tables",
            "Leaderboard",
            "page (HTML)",
            "leaderboard",
        ),
    log:
        f"logs/{STUDY}/make_leaderboard.log",
    benchmark:
        f"logs/{STUDY}/make_leaderboard.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("make_leaderboard.py"),
        code=code("make_leaderboard.py", TABLES_PAGE),
        note=NOTE,
    shell:
        "python {params.script:q} --summary {input.summary:q} --skill {input.skill:q} "
        "--references {input.references:q} --output {output.html:q} --csv {output.csv:q} "
        "--note={params.note:q} 2> {log:q}"


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
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        script=script("check_claims.py"),
        code=code("check_claims.py", TABLES_PAGE, paper_numbers("table1") + paper_numbers("seeds")),
        paper=paper_numbers("table1"),
        seeds=paper_numbers("seeds"),
        note=NOTE,
    shell:
        "python {params.script:q} --summary {input.summary:q} --comparisons {input.comparisons:q} "
        "--paper {params.paper:q} --paper-seeds {params.seeds:q} --output {output.csv:q} "
        "--markdown {output.markdown:q} --html {output.html:q} "
        "--caption-note={params.note:q} 2> {log:q}"


rule show_table:
    input:
        lambda wildcards: f"results/{STUDY}/{TABLES[wildcards.table][1]}/{wildcards.table}.csv",
    output:
        report(
            f"results/{STUDY}/tables/{{table}}.html",
            category="Tables",
            caption="../report/tables.rst",
            labels=lambda wildcards: {
                "result": TABLES[wildcards.table][0],
                "format": "page (HTML)",
            },
        ),
    log:
        f"logs/{STUDY}/show_table/{{table}}.log",
    benchmark:
        f"logs/{STUDY}/show_table/{{table}}.tsv"
    wildcard_constraints:
        table="|".join(TABLES),
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input: 500 + 5 * int(input.size_mb),
        runtime=10,
    params:
        script=script("show_table.py"),
        code=code("show_table.py", TABLES_PAGE),
        title=lambda wildcards: TABLES[wildcards.table][0],
        note=NOTE,
    shell:
        "python {params.script:q} --table {input:q} --title {params.title:q} "
        "--note={params.note:q} --output {output:q} 2> {log:q}"


rule describe_study:
    input:
        data=study.data_file(),
        training=study.training_file,
        sources=study.score_files(".source.json"),
    output:
        page=shown(
            f"results/{STUDY}/study.html",
            "Study",
            "Data, networks, config, software",
            "page (HTML)",
            "study",
        ),
        record=f"results/{STUDY}/study.json",
    log:
        f"logs/{STUDY}/describe_study.log",
    benchmark:
        f"logs/{STUDY}/describe_study.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        script=script("describe_study.py"),
        code=code("describe_study.py", STUDY_PAGE),
        config=literal(masked(as_json(config))),
        protocol=as_json(study.protocol.as_dict()),
    shell:
        "python {params.script:q} --config {params.config:q} --protocol {params.protocol:q} "
        "--data {input.data:q} --training {input.training:q} --sources {input.sources:q} "
        "--output {output.page:q} "
        "--record {output.record:q} 2> {log:q}"
