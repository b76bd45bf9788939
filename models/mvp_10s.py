"""MVP on cuts of ten seconds: the row "MVP (10s cut input)" of Table 4.

What differs from MVP: a recording is cut into segments (`pipeline_lib.stored_features.segments`),
each of them an item with the trial's label, and the trial's score is the mean of its segments'
probabilities. The network is the same, so its linear layer over time is that much smaller. That a
long trial counts for more in training, having more segments, is left as it is [?].
"""

from models.layers import MVP
from pipeline_lib.stored_features.systems import System

SYSTEM = System(MVP)
