"""What the columns of the study's tables mean, for readers of their pages."""

from collections.abc import Iterable

_INTERVAL = "end of the 95 % interval over images"
MEANINGS = {  # of columns that mean the same in every table
    "model": "name that a network and its twin with DCLS have in common: the plain one's",
    "dcls": "1 with Dilated Convolution with Learnable Spacings, 0 without",
    "network": "name of the network",
    "run": "which weights: published, or those of a training by its seed",
    "explainer": "method that made the heatmaps",
    "n": "images with a defined value",
    "n_images": "images with a defined value",
    "mean_rho": "mean over images of Spearman's correlation of heatmap and human map",
    "score": "mean rho, divided by the human ceiling if the protocol says so",
    "low": f"lower {_INTERVAL}",
    "high": f"upper {_INTERVAL}",
    "human_ceiling": "what divided the score; empty if nothing did",
    "p_value": "of Wilcoxon's signed-rank test",
    "p_holm": "the p-value, corrected by Holm for the number of tests",
}
_STRATA = {
    "stratification": "what the images are parted by",
    "stratum": "the part",
}
OF_TABLE = {  # of columns that only one table has, or that mean something else there
    "comparisons": {
        "comparison": "what is compared, as dcls - plain",
        "n": "images that both have a value of",
        "dropped": "images that lack one of the two values",
        "difference": "mean of the first minus the second, over images",
        "low": f"lower {_INTERVAL}, of the difference",
        "high": f"upper {_INTERVAL}, of the difference",
        "superiority": "share of images on which the first is higher, ties counted half",
    },
    "correlations": {
        "networks": "which networks are correlated: plain ones, or those with DCLS",
        "quantity": "what the score is correlated with: top-1, or the logarithm of the parameters",
        "method": "pearson, or spearman of the ranks",
        "value": "the correlation over networks, from -1 to 1",
        "n": "networks",
        "low": "lower end of the 95 % interval of the correlation; empty for few networks",
        "high": "upper end of that interval",
    },
    "references": {
        "reference": "how the maps without a network were made",
        "undefined": "images without a value",
        "note": "why numbers are missing",
    },
    "skill": {
        "reference": "what the network is measured from: centre, a Gaussian in the middle of the "
        "image, or other_image, its own heatmaps of other images",
        "skill": "share of the way from the reference (0) to the ceiling (1)",
        "low": f"lower {_INTERVAL}, of the skill",
        "high": f"upper {_INTERVAL}, of the skill",
        "reference_rho": "mean rho of the reference on the same images",
        "ceiling": "which ceiling: published, others (a person's map against the mean of the "
        "others'), or perfect",
        "ceiling_rho": "its value",
    },
    "partial": {
        "partial_rho": "rank correlation with the human maps given a Gaussian in the middle",
    },
    "smoothness": {
        "cutoff": "highest frequency kept, in cycles per image; empty for the heatmap as it is",
    },
    "sensitivity": {
        "field": "field of the protocol that is changed",
        "value": "what it is changed to",
        "score": "score under the changed protocol",
        "score_low": f"lower {_INTERVAL}, of the score",
        "score_high": f"upper {_INTERVAL}, of the score",
        "difference": "score under the changed protocol minus that under the study's",
        "low": f"lower {_INTERVAL}, of the difference",
        "high": f"upper {_INTERVAL}, of the difference",
        "human_ceiling_before": "what divided the score before the change",
        "dcls_difference_before": "score with DCLS minus the plain twin's, before the change",
        "dcls_difference": "the same after the change",
        "sign_changes": "whether the signs of these two differ",
    },
    "strata": {
        **_STRATA,
        "share": "of the part in the images that have a score, from 0 to 1",
        "n_left_out": "images without a score, which are in no part",
        "difference": "mean rho of the part minus that of all other images",
        "p_value": "of Mann and Whitney's U test of the part against all other images",
    },
    "dcls_by_stratum": {
        **_STRATA,
        "network": "the network with DCLS; its plain twin is the model",
        "difference": "mean rho with DCLS minus plain, over the images of the part",
        "low": f"lower {_INTERVAL}, of the difference",
        "high": f"upper {_INTERVAL}, of the difference",
    },
    "threshold_sweep": {
        "best": "threshold of the normalised map with the highest score on all images",
        "chosen": "thresholds chosen on the other folds, one for each fold",
        "score": "score of each image with the threshold chosen on the other folds",
        "usual_score": "score at the protocol's threshold",
    },
    "measures": {
        "measure": "pearson: linear correlation; cosine: of the angle between the maps; kl: "
        "Kullback-Leibler divergence, the only one that is lower for maps more alike; sim: "
        "similarity, the intersection of the two densities. The others are about the highest tenth "
        "of the human map: auc_judd: area under the ROC curve; nss: mean of the standardised "
        "heatmap there; dice, iou and topk_overlap: overlap with the heatmap's highest tenth",
        "mean": "of the measure, over images",
        "low": f"lower {_INTERVAL}, of the mean",
        "high": f"upper {_INTERVAL}, of the mean",
    },
}


def meanings(table: str, columns: Iterable[str]) -> dict[str, str]:
    """What columns of a table mean, by column; those that are not known are left out.

    table: name of its CSV file, without the ending.
    """
    known = MEANINGS | OF_TABLE.get(table, {})
    return {column: known[column] for column in columns if column in known}
