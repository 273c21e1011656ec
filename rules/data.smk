# Images with human maps: the ClickMe shards, the embedded digits, or a folder of one's own.

CLICKME = study.clickme
SHARD_FILE = f"results/{STUDY}/data/shards/{CLICKME['split']}-{{shard}}.tfrecords"


rule download_clickme:
    output:
        SHARD_FILE,
    log:
        f"logs/{STUDY}/download_clickme/{{shard}}.log",
    benchmark:
        f"logs/{STUDY}/download_clickme/{{shard}}.tsv"
    retries: 0  # whatever --retries says: the script itself repeats what may succeed
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=120,
    params:
        # No code digest: an edited script is no reason to download the same shard again.
        script=script("download_clickme.py"),
        source=lambda wildcards: study.shard_source(wildcards.shard),
    shell:
        "python {params.script:q} --source {params.source:q} --output {output:q} 2> {log:q}"


rule prepare_clickme:
    input:
        expand(SHARD_FILE, shard=range(CLICKME["shards"])),
    output:
        f"results/{STUDY}/data/clickme.h5",
    log:
        f"logs/{STUDY}/prepare_clickme.log",
    benchmark:
        f"logs/{STUDY}/prepare_clickme.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(60),
    params:
        script=script("prepare_clickme.py"),
        code=code("prepare_clickme.py"),
        settings=flags(
            {name: CLICKME[name] for name in ("on_bad_record", "records")}
            | {"human_ceiling": CLICKME["human_ceiling"] or "none"}
        ),
    shell:
        "python {params.script:q} --output {output:q} {params.settings} {input:q} 2> {log:q}"


rule prepare_digits:
    output:
        data=f"results/{STUDY}/data/digits.h5",
        train=f"results/{STUDY}/data/digits.train.h5",
    log:
        f"logs/{STUDY}/prepare_digits.log",
    benchmark:
        f"logs/{STUDY}/prepare_digits.tsv"
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        script=script("prepare_digits.py"),
        code=code("prepare_digits.py"),
        settings=flags(config["digits"]),
    shell:
        "python {params.script:q} --output {output.data:q} --train-output {output.train:q} "
        "{params.settings} --threads {threads} 2> {log:q}"


rule prepare_folder:
    output:
        f"results/{STUDY}/data/folder.h5",
    log:
        f"logs/{STUDY}/prepare_folder.log",
    benchmark:
        f"logs/{STUDY}/prepare_folder.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        script=script("prepare_folder.py"),
        code=code("prepare_folder.py"),
        # Parameters and not inputs, in which Snakemake would look for wildcards.
        settings=lambda wildcards: study.folder_flags,
        digest=lambda wildcards: study.folder_digest,
    shell:
        "python {params.script:q} --output {output:q} {params.settings} 2> {log:q}"


rule plot_samples:
    input:
        study.data_file(),
    output:
        figure("samples", "Samples of the data", category="Data"),
    log:
        f"logs/{STUDY}/plot_samples.log",
    benchmark:
        f"logs/{STUDY}/plot_samples.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        script=script("plot_samples.py"),
        code=code("plot_samples.py"),
    shell:
        "python {params.script:q} --data {input:q} --output {output:q} 2> {log:q}"
