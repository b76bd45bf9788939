"""The paper's Fig. 4: the larger and the smaller crop, and what a system makes of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import polars as pl

from pipeline_lib.params import Start
from pipeline_lib.report import comparisons, contact_sheet, markup, results
from pipeline_lib.report.published import CROP_GAIN, TARGETS
from pipeline_lib.report.style import MUTED

EXAMPLES = 3  # frames of each crop
CROPS = ("large", "small")
SHOWN_ON = "amigos"  # the paper's Fig. 4


@dataclass(frozen=True)
class Pair:
    """Two systems that differ in the crop alone."""

    large: str
    small: str


def pairs(finetune: Mapping[str, Start], *, usual: str) -> dict[str, Pair]:
    """Data set -> two of its rows with the same start and different crops, if there are such.

    usual : the crop of rows that name none
    """
    found: dict[str, dict[str, dict[str, str]]] = {}
    for row in finetune.values():
        by_start = found.setdefault(row.dataset, {}).setdefault(row.start, {})
        by_start[row.crop or usual] = row.system
    return {
        dataset: Pair(of_start["large"], of_start["small"])
        for dataset, starts in found.items()
        for of_start in starts.values()
        if set(of_start) == set(CROPS)
    }


def section(
    dataset: str,
    pair: Pair,
    scores: Mapping[str, results.Summary],
    compared: comparisons.Comparisons,
    crops: pl.DataFrame | None,
) -> str:
    """Example crops, the scores of both, and their difference beside the published one.

    scores : system -> summary
    crops  : schema.CROPS to choose examples from; None: none may be shown
    """
    rows = []
    for target in TARGETS:
        of_target = compared[target][comparisons.SHOWN]["pairs"]
        values = [
            results.our_score(scores[pair.large], target),
            results.our_score(scores[pair.small], target),
            comparisons.cell(comparisons.between(of_target, pair.large, pair.small)),
        ]
        rows.append(
            f'<tr class="ours"><td class="name">{target}</td>{markup.cells(values)}'
            f'<td style="color:{MUTED};font-weight:400">{_published(dataset)}</td></tr>'
        )
    columns = ("large crop", "small crop", "difference, points", "published difference")
    table = markup.table(markup.head([""], columns), rows)
    note = (
        "<p class='note'>Video only, weighted F1 in percent. The same self-supervised weights, "
        "then fine-tuned on one crop or the other; nothing else differs. The paper says neither "
        "of which target nor of which pre-training its difference is. Small in the difference: "
        "interval over subjects, corrected p, recordings.</p>"
    )
    return f"{_examples(crops)}{table}{note}"


def _published(dataset: str) -> str:
    return markup.span(*(f"+{points}" for points in CROP_GAIN)) if dataset == SHOWN_ON else "none"


def _examples(crops: pl.DataFrame | None) -> str:
    """The same frames in the two crops, side by side; of the recording with most faces."""
    seen = pl.DataFrame() if crops is None else crops.filter("face")
    if seen.is_empty():
        return ""
    most = seen.group_by("recording_id").len().sort("len", "recording_id", descending=[True, False])
    shown = seen.filter(recording_id=most["recording_id"][0])
    frames = contact_sheet.evenly(shown.filter(crop="large").sort("time"), EXAMPLES)["frame"]
    columns = "".join(_column(shown, crop, frames.to_list()) for crop in CROPS)
    return f'<div class="crops">{columns}</div>'


def _column(shown: pl.DataFrame, crop: str, frames: Sequence[int]) -> str:
    rows = shown.filter(pl.col("frame").is_in(frames), crop=crop).sort("time")
    unique = rows.unique("frame", keep="first", maintain_order=True)
    images = "".join(
        f'<img alt="" src="{contact_sheet.thumbnail(jpeg)}">' for jpeg in unique["jpeg"]
    )
    name = escape(shown["recording_id"][0])
    return f"<figure><div>{images}</div><figcaption>{crop} crop, {name}</figcaption></figure>"
