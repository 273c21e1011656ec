# What a reader opens in a browser: the gallery, tables that sort, and what the study is made of.

TABLE_PAGE = ["page.css", "table.html", "table.css", "table.js"]


rule make_gallery:
    input:
        data=data_file(),
        heatmaps=gallery_heatmaps(config),
        scores=score_files(config),
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
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        script=script("make_gallery.py"),
        code=code_digest(
            "make_gallery.py", ["page.css", "gallery.html", "gallery.css", "gallery.js"]
        ),
        settings=as_json(config["gallery"]),
        images=config["gallery"]["images"],
        seed=config["gallery"]["seed"],
        study=config["study"],
        note=NOTE,
        protocol=as_json(protocol(config).as_dict()),
    shell:
        "python {params.script:q} --data {input.data:q} --heatmaps {input.heatmaps:q} "
        "--scores {input.scores:q} --images {params.images} --seed {params.seed} "
        "--protocol {params.protocol:q} --study {params.study:q} --note={params.note:q} "
        "--output {output:q} 2> {log:q}"


for table, (title, folder) in TABLES.items():

    rule:
        name:
            f"show_{table}"
        input:
            f"results/{STUDY}/{folder}/{table}.csv",
        output:
            shown(f"results/{STUDY}/tables/{table}.html", "Tables", title, "page (HTML)", table),
        log:
            f"logs/{STUDY}/show_{table}.log",
        benchmark:
            f"logs/{STUDY}/show_{table}.tsv"
        localrule: True
        conda:
            "../envs/human_alignment.yaml"
        threads: 1
        resources:
            mem_mb=500,
            runtime=10,
        params:
            script=script("show_table.py"),
            code=code_digest("show_table.py", TABLE_PAGE),
            title=title,
            note=NOTE,
        shell:
            "python {params.script:q} --table {input:q} --title {params.title:q} "
            "--note={params.note:q} --output {output:q} 2> {log:q}"


rule describe_study:
    input:
        data=data_file(),
        heatmaps=gallery_heatmaps(config),
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
        "../envs/human_alignment.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        script=script("describe_study.py"),
        code=code_digest("describe_study.py", TABLE_PAGE),
        config=as_json(config),
        protocol=as_json(protocol(config).as_dict()),
    shell:
        "python {params.script:q} --config {params.config:q} --protocol {params.protocol:q} "
        "--data {input.data:q} --heatmaps {input.heatmaps:q} --output {output.page:q} "
        "--record {output.record:q} 2> {log:q}"
