"""Seeds for random draws that must not repeat each other."""

import numpy as np


def derive(*parts: int) -> int:
    """One seed from several numbers >= 0: unlike sums, (1, 2) and (2, 1) do not meet."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
