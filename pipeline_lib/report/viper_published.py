"""Tables 2 and 3 of ViPER, its figures, and which of our systems answers each row.

Source: L. Vaiani et al., "ViPER: Video-based Perceiver for Emotion Recognition", MuSe workshop at
ACM Multimedia 2022, doi 10.1145/3551876.3554806. Pearson correlation, mean over seven classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

SOURCE = "Vaiani et al., MuSe 2022, doi 10.1145/3551876.3554806"
LEVEL = 0.01  # of the difference of the full configuration from every other ViPER (Table 3)
N_DEV = 4657  # clips of the development set (MuSe 2022) [?]


@dataclass(frozen=True)
class VisualRow:
    """A row of Table 2: one visual encoder."""

    model: str
    encoder: str
    crop: bool | None  # to the face; None: the paper does not say
    dev: float


@dataclass(frozen=True)
class FusionRow:
    """A row of Table 3: some modalities."""

    model: str
    inputs: str  # letters of MODALITIES
    dev: float
    test: float | None  # None: not submitted


MODALITIES = {"V": "Image", "T": "Text", "A": "Audio", "F": "FAU"}

# Our system -> the row that it answers, in the paper's order.
TABLE_2: Mapping[str, VisualRow] = {
    "fau_lstm": VisualRow("FAU", "", None, 0.2840),
    "vggface2_lstm": VisualRow("VGGFace2", "", None, 0.2488),
    "viper_base_whole": VisualRow("ViPER", "ViT-Base", False, 0.2102),
    "viper_face_whole": VisualRow("ViPER", "ViT-Face", False, 0.2223),
    "viper_base": VisualRow("ViPER", "ViT-Base", True, 0.2580),
    "viper_face": VisualRow("ViPER", "ViT-Face", True, 0.2712),
}
TABLE_3: Mapping[str, FusionRow] = {
    "fau_lstm": FusionRow("FAU", "F", 0.2840, 0.2801),
    "vggface2_lstm": FusionRow("VGGFace2", "V", 0.2488, 0.1830),
    "viper_face": FusionRow("ViPER", "V", 0.2712, 0.2622),
    "viper_vt": FusionRow("ViPER", "VT", 0.2806, 0.2702),
    "viper_va": FusionRow("ViPER", "VA", 0.2748, 0.2610),
    "viper_vf": FusionRow("ViPER", "VF", 0.2978, 0.2859),
    "viper_vta": FusionRow("ViPER", "VTA", 0.2854, None),
    "viper_vtf": FusionRow("ViPER", "VTF", 0.3014, None),
    "viper_vaf": FusionRow("ViPER", "VAF", 0.2924, None),
    "viper": FusionRow("ViPER", "VTAF", 0.3025, 0.2970),
}
TITLES: Mapping[str, str] = {
    "fau_lstm": "FAU, LSTM",
    "vggface2_lstm": "VGGFace2, LSTM",
    "viper_base_whole": "ViT-Base, whole frame",
    "viper_face_whole": "ViT-Face, whole frame",
    "viper_base": "ViT-Base",
    "viper_face": "ViT-Face: V",
    "viper_vt": "V+T",
    "viper_va": "V+A",
    "viper_vf": "V+F",
    "viper_vta": "V+T+A",
    "viper_vtf": "V+T+F",
    "viper_vaf": "V+A+F",
    "viper": "V+T+A+F, full",
    "bbmf": "Bi-bimodal fusion (BBFN)",
    "tbje": "Transformer joint encoding (TBJE)",
    "early": "Early concatenation",
    "tensor": "Tensor fusion",
    "mult": "MulT",
}
# Beside which other rows of the same tables the full configuration is said to be significant.
TESTED = tuple(name for name, row in TABLE_3.items() if row.model == "ViPER" and name != "viper")

# Results that others reached on the test set of Hume-Reaction.
OTHERS: Mapping[str, float] = {
    "challenge's baseline": 0.2801,
    "ViPER": 0.2970,
    "winner of MuSe 2022": 0.3879,
    "ABAW 5 (2023)": 0.4080,
}

# Figures 2 and 3: the class that is best estimated, the worst, and their correlations.
BEST, WORST = ("Amusement", 0.3414), ("Empathic-Pain", 0.2547)
