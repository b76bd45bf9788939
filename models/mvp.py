"""MVP: facial action units and raw physiology of a whole trial, fused by cross-attention.

Strizhkova et al., ABAW 2024; the network is `models.layers.MVP`. What differs from a textbook
transformer, beside what stands there:
- queries are physiology, keys and values are video: the residual stream stays physiological, and
  every layer reads the same video tokens (3.3)
- one model predicts valence and arousal
The authors published no code.
"""

from models.layers import MVP
from pipeline_lib.stored_features.systems import System

SYSTEM = System(MVP)
