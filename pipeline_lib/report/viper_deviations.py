"""In what our run of a system on embeddings differs from ViPER's, by params and by data.

The sections of scale `paper` hold what the papers state; whatever a run has otherwise stands here
with both values.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline_lib.learning.splits import OWNERS
from pipeline_lib.report.deviations import Deviation
from pipeline_lib.report.viper_published import N_DEV, TABLE_2, TABLE_3

SAMPLING: Mapping[str, object] = {"frames": 32, "fragmenting": "paper"}  # ViPER 3.2, 4

Sections = Mapping[str, Mapping[str, Any]]  # system or encoder -> key -> value

SUBSTITUTED = {  # our system -> what stands in for the paper's features
    "vggface2_lstm": "VGGFace2's features are the challenge's own; an image encoder of ours "
    "stands in their place",
}


@dataclass(frozen=True)
class Made:
    """How results were made: sections of params of the scale that ran, and of scale `paper`."""

    fusion: Sections  # system -> its section, with `inputs`, the encoders that it reads
    paper_fusion: Sections
    embeddings: Sections  # encoder -> its section
    paper_embeddings: Sections
    sampling: Mapping[str, Any]


def of(made: Made, system: str, result: Mapping[str, Any]) -> list[Deviation]:
    """Deviations of one result, the gravest first.

    result : content of results/D-S.json
    """
    found = [*_of_data(result), *_of_encoders(made, system)]
    if sampled := _differing(made.sampling, SAMPLING):
        found.append(Deviation("sampling", f"{sampled}; in brackets the paper's"))
    sizes = _differing(made.fusion[system], made.paper_fusion[system])
    if sizes:
        found.append(Deviation("sizes and schedules", f"{sizes}; in brackets the paper's"))
    if system in SUBSTITUTED:
        found.append(Deviation("substitute features", SUBSTITUTED[system]))
    if system in TABLE_2 or system in TABLE_3:
        found.append(
            Deviation(
                "choice of the epoch",
                "the paper's is made on the very set it reports; the column `held out` makes it "
                "on a part of train that is not trained on",
            )
        )
    return found


def _of_data(result: Mapping[str, Any]) -> Iterator[Deviation]:
    if result["synthetic"]:
        yield Deviation(
            "synthetic twin", "the recordings are made up: no score is one of the real data set"
        )
    if result["n_recordings"] != N_DEV:
        yield Deviation("other recordings", f"not the {N_DEV} clips of the development set")
    if result["protocol"] != OWNERS:
        yield Deviation("other protocol", f"{result['protocol']}, not the owners' split")
    if result["flaws"]:
        yield Deviation("flawed on request", ", ".join(result["flaws"]))


def _of_encoders(made: Made, system: str) -> Iterator[Deviation]:
    for name in made.fusion[system]["inputs"]:
        ours = made.embeddings.get(name, {})  # none: it is stored features, no embedding
        what = _differing(ours, made.paper_embeddings.get(name, {}))
        if what:
            yield Deviation("substitute encoder", f"{name}: {what}; in brackets the paper's")
        if name == "fau" and ours.get("pyfeat") is None:
            yield Deviation(
                "other facial actions", "out of the OpenFace stage, emotions by rule; not Py-Feat's"
            )


def _differing(ours: Mapping[str, Any], papers: Mapping[str, Any]) -> str:
    """The keys whose values are not the same, with both."""
    flat, stated = _flat(ours), _flat(papers)
    keys = dict.fromkeys([*flat, *stated])
    return ", ".join(
        f"{key} {flat.get(key)} ({stated.get(key)})"
        for key in keys
        if flat.get(key) != stated.get(key)
    )


def _flat(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values by dotted key; a list is a value."""
    found: dict[str, Any] = {}
    for key, value in section.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
