"""The paper's explainers, and how it calls them.

A module of its own: what scores heatmaps is not to be made again after an edit of the summary.
"""

EXPLAINER_NAMES = {"grad_cam": "Grad-CAM", "threshold_grad_cam": "Threshold-Grad-CAM"}
