"""What came of StressID's published features: the same tables as a page and as Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from pipeline_lib.report import comparisons, markup
from pipeline_lib.report.published import SYSTEMS
from pipeline_lib.report.style import CSS
from pipeline_lib.stressid_features.columns import KEPT, PHYSIO, VERDICT, WHY, of_view
from pipeline_lib.stressid_features.study import DATASET, QUESTIONS, TRIVIAL

Result = Mapping[str, Any]  # of study.summarise

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
FLAWED = "FLAWED: by trial"
VIEW = {
    KEPT: "kept",
    "steady": "all but what grows by its formula",
    "all": "all that is published",
    "grows": "only what grows by its formula",
}
ABOUT = (
    "Weighted F1: mean ± standard deviation over the folds; in brackets, the interval of all folds "
    "at once from a bootstrap over subjects. Majority: what the commonest class scores on the "
    "same recordings. By trial, recordings of one person are both trained on and tested: a flaw, "
    "made on purpose."
)


@dataclass(frozen=True)
class Table:
    """Cells are plain text; the first `named` columns are names, the others numbers."""

    title: str
    named: int
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        line = "|".join(["---"] * self.named + ["---:"] * (len(self.head) - self.named))
        rows = "".join(f"| {' | '.join(row)} |\n" for row in self.rows)
        return f"**{self.title}**\n\n| {' | '.join(self.head)} |\n|{line}|\n{rows}"

    def html(self) -> str:
        cells = [[escape(cell) for cell in row] for row in (self.head, *self.rows)]
        n = self.named
        rows = [
            f"<tr>{markup.cells(row[:n], kind='name')}{markup.cells(row[n:])}</tr>"
            for row in cells[1:]
        ]
        head = markup.head(cells[0][:n], cells[0][n:])
        return f"<h3>{escape(self.title)}</h3>{markup.table(head, rows)}"


def tables(results: Sequence[Result]) -> list[Table]:
    """All tables of the check; `results` are those of study.plan, in any order."""
    return [_kept(results), _all(results), _length(results), _left_out()]


def render(results: Sequence[Result], compared: comparisons.Comparisons) -> str:
    """The whole page."""
    real = "SYNTHETIC" if compared["synthetic"] else "REAL PEOPLE"
    parts = [
        *(table.html() for table in tables(results)),
        f"<h3>Audit</h3><p>{escape(audit(results))}</p>",
        comparisons.section(DATASET, compared, targets=[_find(results).target]),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>StressID's published features</title><style>{CSS}</style></head>"
        "<body><header><div><h1>StressID's published features</h1>"
        f'<p class="lead">{real}: rest against task, without what grows with the length.</p>'
        f"<p>{ABOUT}</p></div></header><main><section>{''.join(parts)}</section></main></body>"
        "</html>\n"
    )


def audit(results: Sequence[Result]) -> str:
    """What the audit found, by kind of folds."""
    said = []
    for flaws in ((), ("trial_level",)):
        folds = _find(results, flaws=flaws).audit
        shared = [fold["shared"] for fold in folds]
        kind = FLAWED if flaws else "by subject"
        said.append(
            f"{kind}: {len(folds)} folds, subjects both fitted on and tested in each: "
            f"{', '.join(map(str, shared))}"
        )
    return "; ".join(said) + "."


@dataclass(frozen=True)
class _Found:
    """The result of one run."""

    target: str
    audit: Sequence[Mapping[str, Any]]
    systems: Mapping[str, Mapping[str, Any]]

    def f1(self, system: str, *, interval: bool = False) -> str:
        of_target = self.systems[system][self.target]
        folds, pooled = of_target["folds"], of_target["pooled"]["weighted_f1"]
        ends = f" ({pooled['low']:.3f} to {pooled['high']:.3f})" if interval else ""
        return f"{folds['mean']:.3f} ± {folds['std']:.3f}{ends}"

    def auc(self, system: str) -> str:
        of_target = self.systems[system][self.target]["pooled"]["auc"]
        return f"{of_target['value']:.2f} ({of_target['low']:.2f} to {of_target['high']:.2f})"


def _find(
    results: Sequence[Result], question: str = "task", view: str = KEPT, flaws: Sequence[str] = ()
) -> _Found:
    wanted = [question, view, list(flaws)]
    found = next(r for r in results if [r["question"], r["view"], r["flaws"]] == wanted)
    return _Found(found["target"], found["audit"], found["systems"])


def _kept(results: Sequence[Result]) -> Table:
    honest, flawed = _find(results), _find(results, flaws=("trial_level",))
    rows = [
        [
            SYSTEMS[name].title,
            f"{honest.systems[name]['n_recordings']} of {honest.systems[name]['n_subjects']}",
            f"{honest.systems[name]['majority']:.3f}",
            honest.f1(name, interval=True),
            honest.auc(name),
            flawed.f1(name),
        ]
        for name in SYSTEMS
        if name in honest.systems
    ]
    head = ["System", "recordings of subjects", "majority", "by subject", "AUC, by subject", FLAWED]
    return Table("Rest or task, by the features that are kept", 1, head, rows)


def _all(results: Sequence[Result]) -> Table:
    honest, flawed = (_find(results, view="all", flaws=f) for f in ((), ("trial_level",)))
    rows = [
        [
            SYSTEMS[name].title,
            f"{honest.systems[name]['n_recordings']} of {honest.systems[name]['n_subjects']}",
            f"{honest.systems[name]['majority']:.3f}",
            honest.f1(name),
            flawed.f1(name),
        ]
        for name in honest.systems
        if name != TRIVIAL
    ]
    head = ["System", "recordings of subjects", "majority", "by subject", FLAWED]
    return Table("The same by all that is published, as a warning", 1, head, rows)


def _length(results: Sequence[Result]) -> Table:
    """Each view of physiology, and what its systems know of the length."""
    return Table(
        "Physiology: how much of its score is the length",
        2,
        [
            "Features",
            "System",
            f"{QUESTIONS['task'].title}, F1",
            "Baseline called a task",
            f"{QUESTIONS['without_baseline'].title}, F1",
            f"{QUESTIONS['same_length'].title}, AUC",
            f"{QUESTIONS['length'].title} AUC",
        ],
        [*_length_rows(results)],
    )


def _length_rows(results: Sequence[Result]) -> Iterator[list[str]]:
    for view, title in VIEW.items():
        by_question = {name: _find(results, name, view) for name in QUESTIONS}
        n = sum(not name.startswith("visual_") for name in of_view(view))
        for system in by_question["length"].systems:
            if system == TRIVIAL:
                continue
            called = by_question["task"].systems[system]["called"]["Baseline"]
            yield [
                f"{title} ({n})",
                system.partition("_")[0],
                by_question["task"].f1(system),
                f"{called:.0%}",
                by_question["without_baseline"].f1(system),
                by_question["same_length"].auc(system),
                by_question["length"].auc(system),
            ]


def _left_out() -> Table:
    physio = {published: VERDICT[ours] for published, ours in PHYSIO.items()}
    rows = [
        [verdict, why, " ".join(name for name, of in physio.items() if of == verdict)]
        for verdict, why in {**WHY, KEPT: "none of these"}.items()
    ]
    head = ["", "why it knows the length", "published names"]
    return Table("Features of physiology: what is left out, and why", 3, head, rows)
