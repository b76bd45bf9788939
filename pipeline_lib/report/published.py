"""Tables 2 to 4 of the paper, and which of its rows and columns each of our systems answers.

Source: V. Strizhkova et al., "MVP: Multimodal Emotion Recognition based on Video and
Physiological Signals", ABAW workshop at ECCV 2024, hal-04869231. Weighted F1 in percent, mean
and standard deviation over five folds.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass

SOURCE = "Strizhkova et al., ABAW 2024, hal-04869231"

MODALITIES = ("ECG+EDA", "video", "ECG+EDA+video")
PHYSIO, VIDEO, BOTH = MODALITIES
MLP64, BOOSTING = "MLP 64-64 (HC feat)", "Boosting (HC feat)"  # rows of ours
TARGETS = ("arousal", "valence")  # in the order of the paper's columns

Score = tuple[int, int]  # mean, standard deviation; percent
Row = Mapping[str, tuple[Score, Score]]  # modality -> arousal, valence


@dataclass(frozen=True)
class Collection:
    """A row of Table 2."""

    title: str
    n_clips: int
    seconds: int | None  # average duration of a clip
    source: str


# Table 2, by the names of our data sets and corpora.
TABLE_2: Mapping[str, Collection] = {
    "kinetics": Collection("Kinetics-400", 306_245, 10, "YouTube"),
    "amigos": Collection("AMIGOS", 640, 80, "Lab"),
    "deap": Collection("DEAP", 880, 70, "Lab"),
    "kad": Collection("KAD", 307_765, None, "Multi-source"),
}

# Table 4: data set -> method -> modality -> (arousal, valence)
TABLE_4: Mapping[str, Mapping[str, Row]] = {
    "amigos": {
        "SVM (HC feat)": {
            PHYSIO: ((51, 5), (60, 6)),
            VIDEO: ((44, 8), (59, 3)),
            BOTH: ((49, 8), (64, 3)),
        },
        "MLP (HC feat)": {
            PHYSIO: ((57, 4), (63, 1)),
            VIDEO: ((53, 5), (64, 5)),
            BOTH: ((55, 5), (63, 3)),
        },
        "UniTransformer (adapted)": {PHYSIO: ((54, 4), (59, 4))},
        "MultiTransformer (adapted)": {BOTH: ((56, 6), (61, 3))},
        "VideoMAE": {VIDEO: ((53, 6), (59, 5))},
        "UniAUTransformer": {VIDEO: ((56, 3), (63, 4))},
        "UniPhysioTransformer": {PHYSIO: ((56, 3), (62, 4))},
        "MVP (10s cut input)": {BOTH: ((55, 5), (60, 6))},
        "MVP": {BOTH: ((58, 6), (66, 4))},
    },
    "deap": {
        "MLP (HC feat)": {
            PHYSIO: ((52, 3), (53, 2)),
            VIDEO: ((51, 2), (54, 3)),
            BOTH: ((52, 2), (55, 6)),
        },
        "VideoMAE": {VIDEO: ((52, 3), (60, 6))},
        "MVP": {
            PHYSIO: ((53, 6), (54, 4)),
            VIDEO: ((54, 4), (57, 7)),
            BOTH: ((55, 5), (61, 4)),
        },
    },
}

# Table 3: data set -> (self-supervised on, supervised on) -> valence; KAD is all three sets
TABLE_3: Mapping[str, Mapping[tuple[str, str], Score]] = {
    "amigos": {
        ("Kinetics-400", "AMIGOS"): (49, 5),
        ("KAD", "AMIGOS"): (50, 4),
        ("Kinetics-400", "Kinetics-400 & AMIGOS"): (51, 6),
        ("Kinetics-400", "KAD"): (59, 5),
    },
    "deap": {
        ("Kinetics-400", "DEAP"): (52, 4),
        ("KAD", "DEAP"): (55, 7),
        ("Kinetics-400", "Kinetics-400 & DEAP"): (53, 5),
        ("Kinetics-400", "KAD"): (60, 6),
    },
}


# Fig. 4 and 4.2: by how many points of F1 the larger crop won on AMIGOS, from and to.
CROP_GAIN = (7, 9)

# Ours: system -> its row of Table 3, with the target's name in place of TARGET. MVP 3.1 has the
# other target there, as `videomae_other` does unless params say otherwise.
TARGET = "TARGET"
TARGET_TOO = f"Kinetics-400 & {TARGET}"
STRATEGIES: Mapping[str, tuple[str, str]] = {
    "videomae_k400": ("Kinetics-400", TARGET),
    "videomae_kad": ("KAD", TARGET),
    "videomae_other": ("Kinetics-400", TARGET_TOO),
    "videomae": ("Kinetics-400", "KAD"),
}


@dataclass(frozen=True)
class System:
    """One of ours: its name, what it is fed, and the paper's row that it answers, if any."""

    title: str
    modalities: tuple[str, ...]  # the columns that it fills
    row: str | None
    # The row whose column it answers in a table without its own: DEAP's MVP of one modality.
    elsewhere: str | None = None
    group: str | None = None  # a row of our own, which systems of other modalities share

    def line(self, published: Container[str]) -> str:
        """The row in which it stands: one of the published, else one of ours."""
        for row in (self.row, self.elsewhere):
            if row is not None and row in published:
                return row
        return self.row or self.group or self.title


# The trivial ones look at no input at all, so their score stands in every column.
SYSTEMS: dict[str, System] = {
    "svm": System("SVM (HC feat)", (BOTH,), "SVM (HC feat)"),
    "svm_physio": System("SVM (HC feat), physiology", (PHYSIO,), "SVM (HC feat)"),
    "svm_video": System("SVM (HC feat), video", (VIDEO,), "SVM (HC feat)"),
    "mlp": System("MLP (HC feat)", (BOTH,), "MLP (HC feat)"),
    "mlp_physio": System("MLP (HC feat), physiology", (PHYSIO,), "MLP (HC feat)"),
    "mlp_video": System("MLP (HC feat), video", (VIDEO,), "MLP (HC feat)"),
    "mlp64": System("MLP 64-64 (HC feat)", (BOTH,), None, group=MLP64),
    "mlp64_physio": System("MLP 64-64 (HC feat), physiology", (PHYSIO,), None, group=MLP64),
    "mlp64_video": System("MLP 64-64 (HC feat), video", (VIDEO,), None, group=MLP64),
    "boosting": System("Boosting (HC feat)", (BOTH,), None, group=BOOSTING),
    "boosting_physio": System("Boosting (HC feat), physiology", (PHYSIO,), None, group=BOOSTING),
    "boosting_video": System("Boosting (HC feat), video", (VIDEO,), None, group=BOOSTING),
    "svm_late": System("SVM (HC feat), late fusion", (BOTH,), None),
    "mlp_late": System("MLP (HC feat), late fusion", (BOTH,), None),
    "mlp64_late": System("MLP 64-64 (HC feat), late fusion", (BOTH,), None),
    "boosting_late": System("Boosting (HC feat), late fusion", (BOTH,), None),
    "ehci": System("EHCI (reimplemented)", (BOTH,), None),
    "udlbv": System("UDLBV (reimplemented)", (BOTH,), None),
    "videomae": System("VideoMAE", (VIDEO,), "VideoMAE"),  # its best row of Table 3
    "videomae_other": System("VideoMAE, supervised on Kinetics and one target", (VIDEO,), None),
    "videomae_kad": System("VideoMAE, self-supervised on KAD", (VIDEO,), None),
    "videomae_k400": System("VideoMAE, self-supervised on Kinetics", (VIDEO,), None),
    "videomae_small": System("VideoMAE, self-supervised on Kinetics, small crop", (VIDEO,), None),
    "uni_transformer": System("UniTransformer", (PHYSIO,), "UniTransformer (adapted)"),
    "multi_transformer": System("MultiTransformer", (BOTH,), "MultiTransformer (adapted)"),
    "uni_au": System("UniAUTransformer", (VIDEO,), "UniAUTransformer", elsewhere="MVP"),
    "uni_physio": System(
        "UniPhysioTransformer", (PHYSIO,), "UniPhysioTransformer", elsewhere="MVP"
    ),
    "mvp_10s": System("MVP (cut input)", (BOTH,), "MVP (10s cut input)"),
    "mvp": System("MVP", (BOTH,), "MVP"),
    "mvp_tri": System("MVP, three modalities", (BOTH,), None),
    "mvp_ssl": System("MVP, self-supervised", (BOTH,), None),
    "majority": System("Majority class", MODALITIES, None),
    "stratified": System("Stratified random", MODALITIES, None),
}
