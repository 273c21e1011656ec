"""The two layers that a heatmap can be of, where a norm acts on the pooled feature map.

Networks pool their last feature map `A` over positions and classify the pooled vector. Some, such
as ConvNeXt, normalise that vector first. `before_norm` is `A` itself. `behind_norm` is the map
whose mean over positions is the normalised vector (heatmaps/features.py). Where a network has no
norm there, the two are one.
"""

from typing import Literal, get_args

Layer = Literal["before_norm", "behind_norm"]
BEFORE_NORM, BEHIND_NORM = LAYERS = get_args(Layer)
