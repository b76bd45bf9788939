"""The report: one page that opens from a file, loads nothing and says nothing of the machine."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import polars as pl

from pipeline_lib.report import (
    comparisons,
    contact_sheet,
    crop_comparison,
    degraded,
    fidelity,
    figures,
    inflation,
    labels,
    ledgers,
    real,
    results,
    success_cases,
    videos,
    viper,
)
from pipeline_lib.report.deviations import Setup
from pipeline_lib.report.published import SOURCE, SYSTEMS, TABLE_3, TABLE_4
from pipeline_lib.report.style import CSS
from pipeline_lib.report.timing import timing_table

# A browser that reads this refuses to load anything from anywhere.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
SECTIONS = {
    "real": "Real recordings",
    "results": "Results",
    "fidelity": "Fidelity",
    "viper": "ViPER",
    "data": "Data",
    "training": "Training",
    "leakage": "Leakage audit",
}


CROPS_NOTE = (
    "The crops that a model sees, large over small, evenly spaced in time; grey where no face "
    "was found in that very frame. Black is beyond the picture."
)


@dataclass(frozen=True)
class Faces:
    """Crops of some recordings of a data set."""

    crops: pl.DataFrame  # schema.CROPS
    ledger: pl.DataFrame  # schema.LEDGER of the crops
    synthetic: bool


@dataclass(frozen=True)
class Trained:
    """A data set that systems were trained on, and what came of it."""

    recordings: pl.DataFrame  # schema.RECORDINGS
    threshold: float  # rating <= threshold is label 0
    effect: float | None  # planted in a synthetic twin; None: not known, as in real data
    results: Mapping[str, results.Summary]  # system -> content of results/D-S.json
    comparisons: comparisons.Comparisons  # content of results/D-comparisons.json
    curves: Mapping[str, pl.DataFrame]  # system -> schema.HISTORY, of those trained by epochs
    degraded: Mapping[str, pl.DataFrame]  # system -> schema.DEGRADED, of those on stored features
    cases: success_cases.Cases | None  # of MVP against its rival
    crop_pair: crop_comparison.Pair | None  # two systems that differ in the crop alone

    @property
    def synthetic(self) -> bool:
        return bool(self.recordings["synthetic"].any())


@dataclass(frozen=True)
class Real:
    """What the stages made of the real sample recordings."""

    recordings: pl.DataFrame  # schema.RECORDINGS
    openface: pl.DataFrame  # schema.OPENFACE
    crops: pl.DataFrame  # schema.CROPS
    crop_ledger: pl.DataFrame  # schema.LEDGER of the crops
    physio: pl.DataFrame  # schema.PHYSIO
    tracked: str  # the recording whose action units are shown


def render(
    *,
    scale: str,
    trained: Mapping[str, Trained],
    fused: Mapping[str, viper.Fused],
    setup: Setup,
    ledgers_by_set: ledgers.Ledgers,
    synced: Mapping[str, pl.DataFrame],
    min_confidence: float,
    faces: Mapping[str, Faces | None],
    audit: Mapping[str, Any],
    flawed: inflation.Inflation,
    real_sample: Real,
) -> str:
    """The whole page.

    scale          : tiny | paper
    trained        : data set -> what came of it
    fused          : as well, of systems on embeddings; no section if there are none
    setup          : how all of it was made
    ledgers_by_set : data set -> stage -> schema.LEDGER
    synced         : data set -> schema.SYNC
    min_confidence : 0-1, of an offset between video and signals that is trusted
    faces          : data set -> crops; None: of real people who have not agreed to be shown
    audit          : content of results/leakage.json
    flawed         : content of results/inflation.json

    Raises ValueError for a system without a place in report.published.SYSTEMS.
    """
    unknown = sorted({s for of_set in trained.values() for s in of_set.results} - set(SYSTEMS))
    if unknown:
        raise ValueError(f"{unknown}: no place in the tables; add them to published.SYSTEMS")
    parts = {
        "real": _real(real_sample),
        "results": _results(trained, faces),
        "fidelity": _fidelity(trained, setup),
        **({"viper": viper.section(fused)} if fused else {}),
        "data": _collections(videos.table_2(setup.videos, setup.corpora))
        + _distributions(trained)
        + _account(ledgers_by_set, timing_table(synced, min_confidence=min_confidence))
        + "".join(_crops(name, of_set) for name, of_set in faces.items()),
        "training": _training(trained),
        "leakage": _leakage(audit) + f"<h3>What flaws are worth</h3>{inflation.section(flawed)}",
    }
    body = "".join(
        f'<section id="{name}"><h2>{SECTIONS[name]}</h2>{content}</section>'
        for name, content in parts.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Vultus: report</title><style>{CSS}</style>{figures.library()}</head>"
        f"<body>{_header(scale, trained, parts)}<main>{body}{_footer()}</main></body></html>\n"
    )


def _header(scale: str, trained: Mapping[str, Trained], sections: Iterable[str]) -> str:
    links = "".join(f'<a href="#{name}">{SECTIONS[name]}</a>' for name in sections)
    cards = [_card("scale", scale, "sizes of models and schedules")]
    for name, of_set in trained.items():
        subjects = of_set.recordings["subject"].n_unique()
        kind = "synthetic twin" if of_set.synthetic else "real"
        what = f"{of_set.recordings.height} recordings of {subjects} subjects"
        cards.append(_card(f"{name.upper()}, {kind}", what.split()[0], what.split(" ", 1)[1]))
    systems = dict.fromkeys(s for of_set in trained.values() for s in of_set.results)
    cards.append(_card("systems", str(len(systems)), "compared on each data set"))
    return (
        "<header><div><h1>Vultus</h1>"
        '<p class="lead">Emotion from face video and physiology: recordings, from raw files to '
        f"compared models.</p>{_banner(trained)}"
        f'<div class="cards">{"".join(cards)}</div><nav>{links}</nav></div></header>'
    )


def _banner(trained: Mapping[str, Trained]) -> str:
    twins = [name.upper() for name, of_set in trained.items() if of_set.synthetic]
    if not twins:
        return ""
    are = "is a synthetic twin" if len(twins) == 1 else "are synthetic twins"
    return (
        f'<p class="banner"><b>{escape(" and ".join(twins))} {are}.</b> Their files have the real '
        "layouts, but their faces come from a few free clips, their physiology from a simulator, "
        "and the emotion in them was planted. Our scores on them show that the pipeline finds what "
        "is there. They say nothing about the real data sets, and must not be compared with the "
        "published figures beside them.</p>"
    )


def _card(title: str, number: str, words: str) -> str:
    return (
        f'<div class="card"><span>{escape(title)}</span><b>{escape(number)}</b>'
        f"<span>{escape(words)}</span></div>"
    )


def _real(sample: Real) -> str:
    of_clip = pl.col("recording_id") == sample.tracked
    openface = sample.openface.filter(of_clip)
    tracks = real.action_units_figure(openface, sample.crops.filter(of_clip))
    stimuli = real.consecutive(sample.recordings, sample.physio)
    first = sample.physio.filter(recording_id=next(iter(stimuli)))
    return (
        "<p>Unaltered recordings of real people, through the same stages as every data set.</p>"
        f"<h3>Faces</h3><p>{CROPS_NOTE}</p>"
        f"{contact_sheet.contact_sheet(sample.crops, sample.crop_ledger)}"
        f"<h3>From tears to laughter</h3><figure>{tracks}<figcaption>Action units of "
        f"{escape(sample.tracked)}: a running median of five frames over the raw track. Extractor: "
        f"{escape(str(openface['backend'][0]))}{_caveat(openface)}.</figcaption></figure>"
        f"<h3>Heart</h3><figure>{real.heart_figure(first)}</figure>"
        f"<h3>Skin</h3><figure>{real.skin_figure(sample.physio, stimuli)}<figcaption>"
        f"{len(stimuli)} trials of one session, end to end; what lies between them is left out."
        "</figcaption></figure>"
    )


def _results(trained: Mapping[str, Trained], faces: Mapping[str, Faces | None]) -> str:
    head = (
        "<p>Weighted F1 in percent: mean ± standard deviation over the test folds, by subject; "
        "small, the interval of all folds at once from a bootstrap over subjects. Published: "
        f"{escape(SOURCE)}, Tables 3 and 4. HC: hand-crafted features.</p>"
    )
    return head + "".join(
        _result(name, of_set, faces.get(name)) for name, of_set in trained.items()
    )


def _result(name: str, of_set: Trained, faces: Faces | None) -> str:
    table_4 = results.table_4(
        name, of_set.results, synthetic=of_set.synthetic, effect=of_set.effect
    )
    parts = [
        f"<h3>{escape(name.upper())}: physiology, video and both"
        f"{' (Table 4)' if name in TABLE_4 else ''}</h3>{table_4}",
        "<p class='note'>The trivial systems look at no input, so they stand in every column."
        + (" Valence is planted in the face alone, arousal in the physiology alone.</p>"
           if of_set.synthetic else "</p>"),
        f"<figure>{figures.scores_figure(of_set.results, dataset=name, effect=of_set.effect)}"
        "</figure>",
    ]  # fmt: skip
    if name in TABLE_3:
        table_3 = results.table_3(name, of_set.results, synthetic=of_set.synthetic)
        parts.append(
            f"<h3>{escape(name.upper())}: valence from raw video (Table 3)</h3>{table_3}"
            "<p class='note'>KAD: Kinetics-400, AMIGOS and DEAP. Supervised pre-training on the "
            "target alone is its fine-tuning. Ours leave every fold's test subjects out of all "
            "steps; in the third row they were taught by Kinetics-400 and the other target, as 3.1 "
            "has it, where the fidelity table says so.</p>"
        )
    if of_set.crop_pair is not None:
        fig_4 = crop_comparison.section(
            name,
            of_set.crop_pair,
            of_set.results,
            of_set.comparisons,
            None if faces is None else faces.crops,
        )
        parts.append(f"<h3>{escape(name.upper())}: large or small crops (Fig. 4)</h3>{fig_4}")
    parts.append(comparisons.section(name, of_set.comparisons))
    if of_set.cases is not None:
        shown = success_cases.section(name, of_set.cases, faces=faces is not None)
        parts.append(f"<h3>{escape(name.upper())}: MVP against MLP, by trial (Fig. 5)</h3>{shown}")
    if of_set.degraded:
        parts.append(
            f"<h3>{escape(name.upper())}: missing data</h3><figure>"
            f"{degraded.degraded_figure(of_set.degraded, of_set.results, dataset=name)}"
            "<figcaption>Weighted F1 of all folds at once when a stretch of each test recording "
            "is missing, as if no face were seen or an electrode were off; nothing is trained "
            "anew. Dotted: the majority class. How sure scores are, at 0 percent, stands in the "
            "tables above.</figcaption></figure>"
        )
    parts.append(
        f"<details><summary>{escape(name.upper())}: all scores of our systems</summary>"
        f"{results.metrics_table(of_set.results)}</details>"
    )
    return "".join(parts)


def _fidelity(trained: Mapping[str, Trained], setup: Setup) -> str:
    found = {name: of_set.results for name, of_set in trained.items()}
    return (
        "<p>Every published cell beside ours: weighted F1 in percent, mean ± standard deviation "
        "over the folds; small, the interval of all folds at once. The numbers in the last column "
        "are in what ours differs from the paper, by params.yaml and by the data that were used: "
        "the list is shorter the nearer a run comes.</p>"
        f"{fidelity.section(found, setup)}"
    )


def _collections(table: str) -> str:
    return (
        f"<h3>Data sets (Table 2)</h3>{table}<p class='note'>Published: {escape(SOURCE)}. A video "
        "clip is the video of one recording; ours are those that could be decoded.</p>"
    )


def _distributions(trained: Mapping[str, Trained]) -> str:
    return "".join(
        f"<h3>{escape(name.upper())}: ratings and labels (Fig. 3)</h3><figure>"
        f"{labels.labels_figure(of_set.recordings, dataset=name, threshold=of_set.threshold)}"
        f"<figcaption>Ratings above {of_set.threshold:g} (dashed) are label 1. "
        f"{_unrated(of_set.recordings)}</figcaption></figure>"
        for name, of_set in trained.items()
    )


def _unrated(recordings: pl.DataFrame) -> str:
    missing = {target: n for target, n in labels.unrated(recordings).items() if n}
    if not missing:
        return f"All {recordings.height} recordings are rated."
    without = ", ".join(f"{n} of {target}" for target, n in missing.items())
    return f"Without a rating: {without}, among {recordings.height} recordings."


def _account(ledgers_by_set: ledgers.Ledgers, timing: str) -> str:
    return (
        "<h3>Every recording in every stage</h3><p>Nothing is dropped in silence.</p>"
        f"{ledgers.ledger_table(ledgers_by_set)}<h3>Reasons</h3>"
        f"{ledgers.reasons_table(ledgers_by_set)}<h3>Video on signals</h3><p>From the time stamps "
        "of the frames. Offsets come from the pulse in the face's colour if sync.estimate asks for "
        f"them, and move videos only if sync.apply says so.</p>{timing}"
    )


def _crops(name: str, faces: Faces | None) -> str:
    """Faces of a data set, or why this page does not show them."""
    if faces is None:
        return (
            f"<h3>{escape(name.upper())}: crops</h3><p class='note'>Faces of real people who "
            "trust a laboratory are not for a page that is easily passed on. To look at them, "
            f"name {escape(name)} in report.faces_of.</p>"
        )
    sheet = contact_sheet.contact_sheet(faces.crops, faces.ledger)
    kind = "Synthetic twin" if faces.synthetic else "Real recordings"
    return f"<h3>{escape(name.upper())}: crops</h3><p>{kind}. {CROPS_NOTE}</p>{sheet}"


def _training(trained: Mapping[str, Trained]) -> str:
    return (
        "<p>A line a fold; the dot is the epoch that is kept: the lowest validation loss.</p>"
        + "".join(
            f"<h3>{escape(name.upper())}</h3>"
            f"<figure>{figures.curves_figure(of_set.curves, dataset=name)}</figure>"
            for name, of_set in trained.items()
            if of_set.curves
        )
    )


def _leakage(audit: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]) -> str:
    return (
        "<p>For every system and fold: subjects, and copies of files by content, that it is "
        "fitted on and tested on. One shared would have stopped the training, but for a flaw that "
        "was asked for and is marked.</p>"
        f"{ledgers.leakage_table(audit)}"
    )


def _caveat(openface: pl.DataFrame) -> str:
    """What the embedded extractor gets wrong in the clip that is shown."""
    is_embedded = openface["backend"][0] == "embedded"
    return ", which takes the pressed lips of some tears for a smile in part" if is_embedded else ""


def _footer() -> str:
    return (
        "<footer>The same inputs give this page byte for byte. It loads nothing from any network."
        "</footer>"
    )
