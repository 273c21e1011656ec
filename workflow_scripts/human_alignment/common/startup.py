"""What scripts that need torch import first: their start then takes a sixth less time.

The import of torch and timm makes a million objects, none of them garbage. Python looks for garbage
each time that some hundred objects are new; here it does each time that a hundred thousand are.
"""

import gc

gc.set_threshold(100_000)
