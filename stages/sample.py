"""Write the real clips, and the real ECG, EDA and respiration, unaltered, as one BIDS data set."""

from pathlib import Path

from pipeline_lib import sample
from pipeline_lib.core import paths

CLIPS = (
    "sad_then_laughing",
    "neutral_then_smiling",
    "talking",
    "face_leaves",
    "face_enters",
    "no_face",
)


def main() -> None:
    sample.write(
        Path("data/raw/sample"),
        clips={name: paths.asset(name) for name in CLIPS},
        signals={name: paths.asset(name) for name in ("ECG", "EDA", "respiration", "stimuli")},
    )


if __name__ == "__main__":
    main()
