"""What a study's config means: its networks, runs, data, protocol and files."""

import functools
import json
import shlex
from pathlib import Path

from ..common.class_folders import images_digest
from ..common.files import content_digest, sha256
from ..common.layers import BEFORE_NORM, BEHIND_NORM, LAYERS
from ..common.map_files import maps_digest
from ..common.paths import SUFFIX, Run
from ..common.picture_files import ENDINGS, find_pictures
from ..common.sources import local_path, masked
from ..networks import records, timm_weights
from ..scores.protocol import Protocol
from ..training.recipe import Recipe
from .cards import count_cards
from .closing import listed
from .made_from import is_unchanged, json_file, weights_as_wanted, weights_notes

METHOD = "threshold_grad_cam"  # the paper's explainer, of Figure 1 and of the threshold sweep
PAPERS = ("grad_cam", METHOD)  # the paper's explainers
MASKING = "rise"  # the explainer of a sample that masks images
MOST_IN_GALLERY = 16  # networks, where the config names none
FIRST_METHODS_FIGURE = 5  # Figures 5, 6, ... show both explainers, one network each
# Snakemake takes {name} in the path of an input for a wildcard, and <name> for a path variable.
_MEANT_OTHERWISE = frozenset("{}<>")
_FOLDER_PATHS = ("images", "maps", "fixations", "labels", "class_names")  # keys of `folder`
# A study of other data has no ClickMe shards; their rules stay idle.
_NO_CLICKME = {
    "source": "",
    "split": "val",
    "shards": 0,
    "on_bad_record": "stop",
    "records": None,
    "human_ceiling": None,
}


def data_classes(config: dict) -> int | None:
    """How many classes a study's data have; None if that stands in a file. config: any mapping."""
    folder = config.get("folder")
    if config.get("data") != "folder" or not isinstance(folder, dict):
        return {"clickme": 1000, "digits": 10}.get(str(config.get("data")))
    if folder.get("class_names"):
        return None
    return folder.get("num_classes") or 1000


def as_json(value: object) -> str:
    """One string with sorted keys: Snakemake compares parameters as a set without names."""
    return json.dumps(value, sort_keys=True)


def flags(settings: dict) -> str:
    """Command-line flags in one fixed order, quoted for a shell; one parameter for many values.

    `{"batch_size": 8, "compile": True}` is `--batch-size 8 --compile`. A list gives several words.
    What is None, False or an empty list gives no flag.
    """
    words = []
    for name, value in sorted(settings.items()):
        if value is None or value is False or value == []:
            continue
        values = [] if value is True else value if isinstance(value, list) else [value]
        words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return shlex.join(words)


class Study:
    """A study, from a config that `config.check_config` has checked and completed.

    Methods that list files of runs return them in the config's order. In a study with `partial`
    they leave out files that do not exist, and those that are not made from what the config says
    now.
    """

    def __init__(self, config: dict):
        self.config = config
        self.name: str = config["study"]
        self.protocol = self.protocol_of(config["protocol"]["preset"])

    def protocol_of(self, preset: str) -> Protocol:
        """A protocol of the package with the fields that the config changes."""
        fields = {key: value for key, value in self.config["protocol"].items() if key != "preset"}
        return Protocol.from_config(preset, fields)

    # Networks and runs

    @property
    def runs(self) -> list[Run]:
        """A run for each published network, and for each seed of a trained one."""
        return [run for model in self.config["models"] for run in self.runs_of(model)]

    def runs_of(self, model: str) -> list[Run]:
        """The runs of one model; none of a model that the study lacks."""
        entry = self.config["models"].get(model)
        if entry is None:
            return []
        if entry["source"] == "published":
            return [Run(model, "published")]
        return [Run(model, f"seed{seed}") for seed in entry["train"]["seeds"]]

    def network(self, model: str) -> records.Network:
        """The complete record of a model's network."""
        entry = self.config["models"][model]
        if "timm" in entry:
            layer = entry.get("feature_layer")
            name = f"timm:{entry['timm']}" + (f"@{layer}" if layer else "")
        else:
            plain = entry.get("architecture", model.removesuffix(SUFFIX))
            name = plain + (SUFFIX if model.endswith(SUFFIX) else "")
        return records.find(name, entry.get("dcls"), self.config["networks"])

    def has_other_classes(self, model: str) -> bool:
        """Whether a model with weights of timm is known to have other classes than the data.

        One that is trained has the classes of its images.
        """
        entry, classes = self.config["models"][model], data_classes(self.config)
        tagged = entry.get("timm", "").partition("@")[0] in timm_weights.listed()
        if entry["source"] != "published" or not tagged or classes is None:
            return False
        return self.network(model).num_classes != classes

    @property
    def twins(self) -> dict[str, str]:
        """By each network with DCLS its plain twin, as the config or its name says.

        One without a twin has the name of a plain network that the study lacks, or its own.
        """
        models = self.config["models"]
        return {
            model: entry.get("plain") or model.removesuffix(SUFFIX)
            for model, entry in models.items()
            if self.network(model).dcls
        }

    def pair_of(self, model: str) -> dict[str, str | None]:
        """`plain` and `dcls`: a model and its twin, None where the study has none.

        Of a plain model's twins it is the first in the config.
        """
        twins = self.twins
        plain = twins.get(model, model)
        dcls = model if model in twins else next((n for n in twins if twins[n] == plain), None)
        known = plain in self.config["models"] and plain not in twins
        return {"plain": plain if known else None, "dcls": dcls}

    @property
    def has_claims(self) -> bool:
        """Whether any network of the paper is in the study: the paper's claims are about those."""
        papers = {name for name, one in records.load_networks().items() if not one.micro}
        return any(model.removesuffix(SUFFIX) in papers for model in self.config["models"])

    def recipe(self, model: str) -> dict:
        """Training settings of a model."""
        return self.config["recipes"][self.config["models"][model]["train"]["recipe"]]

    def checkpoint(self, model: str) -> dict:
        """`url` and `sha256` of a model's published weights; the digest is empty if unknown."""
        found = self.config["models"][model]["checkpoint"]
        return {"url": found["url"], "sha256": found.get("sha256") or ""}

    def checkpoint_file(self, model: str) -> str:
        """Path of a model's published checkpoint.

        The user's own file, or the downloaded one; instead of a path that Snakemake would not
        take as it is, the link to it that stands where a download would.
        """
        path = local_path(self.checkpoint(model)["url"])
        if path is None or _MEANT_OTHERWISE.intersection(path):
            return f"results/{self.name}/checkpoints/{model}"
        return str(Path(path))  # as a Path, because Snakemake warns of `./` and `//`

    @property
    def explainers(self) -> list[str]:
        """Explainers of the last feature map that are scored, in alphabetical order.

        The heatmap files hold all explainers, whichever are scored.
        """
        return self.config["extract"]["explainers"]

    @property
    def attributions(self) -> list[str]:
        """Explainers of a sample of the images, in alphabetical order."""
        return self.config["attributions"]["explainers"]

    @property
    def is_swept(self) -> bool:
        """Whether the study has the maps whose threshold is swept."""
        return METHOD in self.explainers

    @functools.cached_property
    def gpus_of_a_job(self) -> int:
        """Graphics cards that a job asks for which runs a network over images, 0 or 1."""
        wanted = self.config["gpu"]
        return min(1, count_cards()) if wanted == "auto" else wanted

    # Images

    def data_file(self, kind: str = "") -> str:
        """The data file of the study, or with `.train` the training file."""
        return f"results/{self.name}/data/{self.config['data']}{kind}.h5"

    def _own_images(self, kind: str = "") -> str | None:
        """Labelled images that come with the study's data set."""
        return self.data_file(kind) if self.config["data"] == "digits" else None

    @property
    def training_file(self) -> list[str]:
        """The training file of the study's data set, if it has one."""
        return [self.data_file(".train")] if self._own_images() else []

    @property
    def training_images(self) -> str | None:
        """What networks are trained on: the folder in the config, or the data set's own images."""
        return self.config["imagenet"]["train"] or self._own_images(".train")

    @property
    def top1_images(self) -> str | None:
        """What top-1 is measured on: the folder in the config, or the data set's own images."""
        return self.config["imagenet"]["val"] or self._own_images()

    @property
    def has_own_top1(self) -> bool:
        """Whether top-1 is measured on the very images whose heatmaps are scored.

        It then follows from the classes that the networks predicted there.
        """
        return self.top1_images == self.data_file()

    @property
    def own_top1(self) -> list[str]:
        """Models whose top-1 is that of the scored images; one with other classes has none."""
        models = self.config["models"] if self.has_own_top1 else ()
        return [model for model in models if not self.has_other_classes(model)]

    @property
    def has_top1(self) -> bool:
        """Whether any network has a top-1."""
        return bool(self.own_top1 or self.accuracies())

    def images_digest(self, part: str) -> str:
        """Digest of which images the folder `imagenet.<part>` holds; empty without a folder.

        Seconds for millions of images.
        """
        folder = self.config["imagenet"][part]
        return images_digest(folder) if folder else ""

    @property
    def clickme(self) -> dict:
        """Settings of the ClickMe shards."""
        return self.config.get("clickme", _NO_CLICKME)

    def shard_source(self, shard: int | str) -> str:
        """URL or path of a ClickMe shard."""
        source, split = self.clickme["source"], self.clickme["split"]
        return f"{source}/{split}/{split}-{shard}.tfrecords"

    @property
    def folder_flags(self) -> str:
        """Flags of the job that prepares pictures and human maps of one's own."""
        return flags(self.config["folder"])

    @property
    def folder_paths(self) -> dict[str, str]:
        """What the section `folder` names on this machine, by key; nothing in other studies."""
        if self.config["data"] != "folder":
            return {}
        named = {key: self.config["folder"][key] for key in _FOLDER_PATHS}
        named["labels"] = None if named["labels"] == "folders" else named["labels"]
        return {key: path for key, path in named.items() if path}

    @property
    def folder_digest(self) -> str:
        """Digest of the section's files: of pictures names and sizes, of all others the content.

        Maps may be of one size whatever they hold. Times do not count.
        """
        found = {
            key: images_digest(path, ENDINGS) if key == "images" else content_digest(path)
            for key, path in self.folder_paths.items()
        }
        return as_json(found)

    @property
    def pictures(self) -> list[str]:
        """The user's own pictures for Figures 5, 6, ..., if the config names a folder."""
        folder = self.config["figures"]["pictures"]
        return list(map(str, find_pictures(folder))) if folder else []

    @property
    def pictures_digests(self) -> list[str]:
        """SHA-256 of each of these pictures."""
        return list(map(sha256, self.pictures))

    @property
    def reference_flags(self) -> str:
        """Flags of the job that scores maps which no network made."""
        settings = {key: one for key, one in self.config["references"].items() if key != "maps"}
        return " ".join(filter(None, [flags(settings), self.reference_maps]))

    @property
    def reference_maps(self) -> str:
        """Flag that names the maps of other models; empty if the study has none."""
        maps = sorted(self.config["references"]["maps"].items())
        return flags({"maps": [f"{name}={local_path(path)}" for name, path in maps]})

    @property
    def reference_digests(self) -> list[str]:
        """Digest of names, sizes and times of each of the other models' maps."""
        maps = self.config["references"]["maps"].values()
        return [maps_digest(local_path(path)) for path in maps]

    # Files of runs

    def available(self, files: list[str]) -> list[str]:
        """All files of runs; in a study with `partial` only those that exist and are current."""
        if not self.config["partial"]:
            return files
        weights = f"results/{self.name}/weights/"
        return [
            file
            for file in files
            if Path(file).exists()
            and self._has_current_weights(Run.of(file))
            and (file.startswith(weights) or self._has_current_scores(Run.of(file)))
        ]

    @functools.cache  # noqa: B019 (a study lives as long as the process)
    def _has_current_weights(self, run: Run) -> bool:
        """Whether a run's weights are of the network, and of the checkpoint or training, that the
        config says now.
        """
        path = run.file(self.name, "weights", ".safetensors")
        if not weights_as_wanted(path, self.network(run.model).as_dict(), self._made_from(run)):
            return False
        if run.run != "published" or local_path(self.checkpoint(run.model)["url"]) is None:
            return True
        return is_unchanged(
            self.checkpoint_file(run.model), path, weights_notes(path).get("sha256")
        )

    def _made_from(self, run: Run) -> dict:
        """The notes of weights that are made from what the config says now."""
        if run.run != "published":
            recipe = Recipe.from_dict(self.recipe(run.model)).model_dump(mode="json")
            return {"recipe": recipe, "seed": int(run.run.removeprefix("seed"))}
        checkpoint = self.checkpoint(run.model)
        digest = {"sha256": checkpoint["sha256"]} if checkpoint["sha256"] else {}
        return {"source": masked(checkpoint["url"])} | digest

    @functools.cache  # noqa: B019
    def _has_current_scores(self, run: Run) -> bool:
        """Whether a run's heatmaps are there and its scores were made from its weights."""
        source = run.file(self.name, "scores", ".source.json")
        weights = run.file(self.name, "weights", ".safetensors")
        digest = json_file(source).get("weights_digest")
        has_heatmaps = Path(self.heatmap_file(run)).exists()
        return has_heatmaps and is_unchanged(weights, source, digest)

    def stale_runs(self) -> list[str]:
        """Runs without scores, and runs whose scores the config as it is now would not give."""
        wanted = {"explainers": self.explainers, "protocol": self.protocol.as_dict()}
        stale = []
        for run in self.runs:
            source = json_file(run.file(self.name, "scores", ".source.json"))
            same = all(source.get(key) == value for key, value in wanted.items())
            current = same and self._has_current_weights(run) and self._has_current_scores(run)
            stale += [] if current else [str(run)]
        return stale

    def files(self, stage: str, ending: str, model: str | None = None) -> list[str]:
        """Files of all runs, or of the first run of one model."""
        runs = self.runs if model is None else self.runs_of(model)[:1]
        return self.available([run.file(self.name, stage, ending) for run in runs])

    def heatmap_file(self, run: Run, geometry: str | None = None) -> str:
        """Heatmaps of a run, in the protocol's geometry or in a named one.

        Both are one file where the network's crop cuts nothing off.
        """
        run = Run(*run)
        transform = self.network(run.model).transform  # None of some of timm's: not known yet
        own = geometry in (None, self.protocol.geometry) or (transform and not transform.crops)
        return run.file(self.name, "heatmaps", ".h5" if own else f".{geometry}.h5")

    def sensitivity_heatmaps(self, run: Run) -> list[str]:
        """Heatmap files of a run that the sensitivity to the protocol needs: of each geometry."""
        fixed = "geometry" in self.config["protocol"]
        both = self.config["sensitivity"]["geometry"] and not fixed
        wanted = ["crop", "full"] if both else [self.protocol.geometry if fixed else "crop"]
        return list(dict.fromkeys(self.heatmap_file(run, geometry) for geometry in wanted))

    @property
    def layers(self) -> list[str]:
        """Whose maps are extracted: of both layers where the protocol or the sensitivity asks."""
        both = self.config["sensitivity"]["layer"] or self.protocol.layer == BEHIND_NORM
        return list(LAYERS) if both else [BEFORE_NORM]

    def extraction_flags(self, geometry: str, shard: str | None) -> str:
        """Flags of a job that extracts heatmaps, of all explainers.

        geometry: `.crop` or `.full`, empty for the protocol's own.  shard: its number, or None.
        """
        settings = dict(self.config["extract"])
        shards = settings.pop("shards")
        del settings["explainers"]
        settings["geometry"] = geometry.removeprefix(".") or self.protocol.geometry
        settings["target"] = self.protocol.target
        settings["layers"] = self.layers
        return flags(settings | {"shard": f"{shard or 0}/{shards}"})

    def attribution_flags(self, explainer: str) -> str:
        """Flags of a job that explains a sample of the images by one of `attributions`."""
        sample = self.config["attributions"]
        settings = {"explainers": [explainer], "images": sample["images"], "seed": sample["seed"]}
        settings |= {"geometry": self.protocol.geometry, "target": self.protocol.target}
        if explainer == MASKING:
            batch_size = self.config["extract"]["batch_size"]
            settings |= {"masks": sample["masks"], "batch_size": batch_size}
        return flags(settings)

    @property
    def parts(self) -> list[str]:
        """What follows a run in the names of its score files.

        Nothing where all images are explained, and `.<explainer>` of each of `attributions`.
        """
        return ["", *(f".{name}" for name in self.attributions)]

    def explainer_flags(self, part: str = "") -> str:
        """Flag that names the explainers which a job scores. part: one of `parts`."""
        return flags({"explainers": [part.removeprefix(".")] if part else self.explainers})

    def score_files(self, ending: str = ".parquet") -> list[str]:
        """Score files of all runs: those of all images, then those of each sampled explainer."""
        return [file for part in self.parts for file in self.files("scores", part + ending)]

    def scored_heatmaps(self) -> list[str]:
        """The heatmap files behind `score_files`, in the same order."""
        return [
            Run.of(file).file(self.name, "heatmaps", part + ".h5")
            for part in self.parts
            for file in self.files("scores", part + ".parquet")
        ]

    @property
    def gallery_models(self) -> list[str]:
        """The networks with scores that the gallery shows, in the order of the config's models.

        Those under `gallery.models`; without any of them those of `figures.label`, then the study's
        first ones, MOST_IN_GALLERY at most.
        """
        scored = list(dict.fromkeys(Run.of(file).model for file in self.score_files()))
        named = set(self.config["gallery"]["models"]).intersection(scored)
        if not named:
            first = [*self.config["figures"]["label"], *scored]
            first = [model for model in dict.fromkeys(first) if model in scored]
            named = set(first[:MOST_IN_GALLERY])
        return [model for model in scored if model in named]

    def gallery_files(self, files: list[str]) -> list[str]:
        """Those of these files of runs that are of networks in the gallery."""
        shown = set(self.gallery_models)
        return [file for file in files if Run.of(file).model in shown]

    @property
    def gallery_flags(self) -> str:
        """Flags of the job that makes the gallery: its images, and how many networks it lacks."""
        scored = {Run.of(file).model for file in self.score_files()}
        settings = {key: one for key, one in self.config["gallery"].items() if key != "models"}
        others = len(scored) - len(self.gallery_models)
        return flags(settings | {"others": others or None})

    def accuracies(self) -> list[str]:
        """Top-1 files of all runs; none without other images than the scored to measure it on.

        A network with other classes than the data has no top-1.
        """
        others = self.top1_images and not self.has_own_top1
        files = self.files("weights", ".top1.json") if others else []
        return [file for file in files if not self.has_other_classes(Run.of(file).model)]

    def paper_protocol_scores(self) -> list[str]:
        """Scores under the protocol `paper`, if the study measures them."""
        file = f"results/{self.name}/scores/paper_protocol.csv"
        return [file] if self.config["sensitivity"]["geometry"] else []

    def curves(self) -> list[str]:
        """Learning curves of all trained runs."""
        runs = [run for run in self.runs if run.run != "published"]
        return self.available([run.file(self.name, "weights", ".curve.csv") for run in runs])

    def dcls_weights(self) -> list[str]:
        """Weights of the networks with DCLS, of the first run of each."""
        return [
            file for model in self.twins for file in self.files("weights", ".safetensors", model)
        ]

    # Figures

    @functools.cached_property
    def not_made(self) -> dict[str, str]:
        """By the name of each figure or page that cannot apply to this study, the reason."""
        scored = self._scored_models()
        paired = any(len(scored & set(pair)) == 2 for pair in self.twins.items())
        papers = [name for name in PAPERS if name in self.explainers]
        no_map = "" if self.is_swept else "no Threshold-Grad-CAM maps"
        no_pair = "" if paired else "no network with and without DCLS"
        no_plain = "" if scored - set(self.twins) else "no network without DCLS"
        compared = paired or len(papers) == len(PAPERS)
        nothing_to_compare = "" if compared else "no two networks or explainers to compare"
        reasons = {
            "figure2": no_map or no_pair,
            "figure3": "" if papers else "no Grad-CAM and no Threshold-Grad-CAM maps",
            "figure4": no_map or no_plain,
            "comparisons": nothing_to_compare,
            "accuracy": "" if self.has_top1 else "no top-1 accuracy",
            "threshold_sweep": no_map,
            "positions": "" if self.dcls_weights() else "no network with DCLS",
            "curves": "" if self.curves() else "no network is trained",
            "dcls_by_stratum": no_pair,
            "claims": "" if self.has_claims else "no network of the paper",
        }
        return {name: reason for name, reason in reasons.items() if reason}

    def _scored_models(self) -> set[str]:
        """Models of which any run has scores, or is to have them."""
        return {Run.of(file).model for file in self.files("scores", ".parquet")}

    @property
    def figure1_explainer(self) -> str:
        """The paper's, or the first one that the study has."""
        return METHOD if self.is_swept else self.explainers[0]

    def figure1_files(self, stage: str, ending: str) -> list[str]:
        """Files of the model of Figure 1: with DCLS, then plain, as the paper's rows are."""
        pair = self.pair_of(self.config["figures"]["overlay_model"])
        both = [pair["dcls"], pair["plain"]]
        scored = [model for model in both if model and self.files("scores", ".parquet", model)]
        return [file for model in scored for file in self.files(stage, ending, model)]

    @property
    def shows_pair_first(self) -> bool:
        """Whether the networks of Figure 1 have a table of their own, before the study's Table 1.

        Their table is soon there; it needs no other network.
        """
        return 0 < len(self._figure1_models()) < len(self._scored_models())

    def pair_accuracies(self) -> list[str]:
        """Top-1 files of the networks of Figure 1."""
        models = self._figure1_models()
        return [file for file in self.accuracies() if Run.of(file).model in models]

    def _figure1_models(self) -> set[str]:
        """The networks of Figure 1 that have scores, or are to have them."""
        return {Run.of(file).model for file in self.figure1_files("scores", ".parquet")}

    @property
    def methods_numbers(self) -> list[int]:
        """Numbers of the figures that show both explainers: 5, 6, ..."""
        count = len(self.config["figures"]["methods_models"])
        return [FIRST_METHODS_FIGURE + place for place in range(count)]

    def methods_model(self, number: int | str) -> str:
        """The network of Figure 5, 6, ..."""
        return self.config["figures"]["methods_models"][int(number) - FIRST_METHODS_FIGURE]

    @property
    def methods_images(self) -> str:
        """Data file of the images of Figures 5, 6, ..."""
        own = f"results/{self.name}/data/pictures.h5"
        return own if self.config["figures"]["pictures"] else self.data_file()

    def methods_heatmaps(self, number: int | str, kind: str) -> list[str]:
        """Heatmaps of the images of Figure 5, 6, ...: of the first run of its network.

        kind: `plain` or `dcls`; none if the study lacks that one of the pair.
        """
        model = self.pair_of(self.methods_model(number))[kind]
        if model is None:
            return []
        if not self.config["figures"]["pictures"]:
            return self.files("heatmaps", ".h5", model)
        weights = map(Run.of, self.files("weights", ".safetensors", model))
        return [run.file(self.name, "pictures", ".h5") for run in weights]

    @property
    def note(self) -> str:
        """The sentence under tables and figures; with `partial` it names runs without scores."""
        scored = set(self.files("scores", ".parquet"))
        missing = [r for r in self.runs if r.file(self.name, "scores", ".parquet") not in scored]
        if not missing:
            return self.config["note"]
        return f"{self.config['note']} Without scores: {listed(list(map(str, missing)))}.".strip()
