"""Where everything lies, from the folder of dvc.yaml."""

from pathlib import Path

DATA = Path("data")
RUNS = Path("runs")
RESULTS = Path("results")
CACHE = Path(".cache")
LEAKAGE = RESULTS / "leakage.json"
REPORT = RESULTS / "report.html"
INFLATION = RESULTS / "inflation.json"  # of stages.inflation, kept in git


def asset(name: str) -> Path:
    """The one file of an asset; raises FileNotFoundError if it was not fetched."""
    files = sorted(Path("assets", name).glob("*"))
    if len(files) != 1:
        raise FileNotFoundError(f"assets/{name}: not fetched; run `dvc repro assets`")
    return files[0]


def twin(dataset: str) -> Path:
    return DATA / "twins" / dataset


def index(dataset: str) -> Path:
    return DATA / dataset / "recordings.parquet"


def sources(dataset: str) -> Path:
    return DATA / dataset / "sources.parquet"


def ratings(dataset: str) -> Path:
    return DATA / dataset / "ratings.parquet"


def signals(dataset: str) -> Path:
    return DATA / dataset / "signals"


def openface(dataset: str) -> Path:
    return DATA / dataset / "openface"


def crops(dataset: str) -> Path:
    return DATA / dataset / "crops"


def physio(dataset: str) -> Path:
    return DATA / dataset / "physio"


def features(dataset: str) -> Path:
    return DATA / dataset / "features"


def embeddings(dataset: str, encoder: str) -> Path:
    return DATA / dataset / "embeddings" / encoder


def handcraft(dataset: str) -> Path:
    return DATA / dataset / "handcraft.parquet"


def handcraft_quality(dataset: str) -> Path:
    return DATA / dataset / "handcraft_quality.parquet"


def folds(dataset: str) -> Path:
    return DATA / dataset / "folds.parquet"


def verdict(name: str) -> Path:
    """Of the leakage audit, on a data set or on a corpus: `corpus-CORPUS`."""
    return DATA / "audit" / f"{name}.json"


def pretrained(corpus: str) -> Path:
    """Holds fold-0, fold-1, ..., or fold-all: models in Hugging Face format."""
    return RUNS / f"pretrain-{corpus}"


def supervised(corpus: str) -> Path:
    """As `pretrained`."""
    return RUNS / f"supervise-{corpus}"


def run(dataset: str, system: str) -> Path:
    return RUNS / f"{dataset}-{system}"


def fold(run: Path, number: int | None) -> Path:
    """None: of all folds."""
    return run / f"fold-{'all' if number is None else number}"


def fold_numbers(run: Path) -> set[int]:
    """Of the models of a run; none if there is one for all folds."""
    names = (path.name.removeprefix("fold-") for path in run.glob("fold-*"))
    return {int(name) for name in names if name.isdigit()}


def weights(run: Path, number: int, selection: str) -> Path:
    """Of a model that `selection` chose the epoch of."""
    return fold(run, number) / f"{selection}.safetensors"


def start(run: Path, number: int | None) -> Path:
    """The model of pre-training that a fold starts from: its own, or the one of all folds."""
    shared = fold(run, None)
    return shared if shared.exists() else fold(run, number)


def predictions(dataset: str, system: str) -> Path:
    return run(dataset, system) / "predictions.parquet"


def estimates(dataset: str, system: str) -> Path:
    """As `predictions`, of a system that fuses embeddings."""
    return run(dataset, system) / "estimates.parquet"


def selections(dataset: str, system: str) -> Path:
    return run(dataset, system) / "selections.parquet"


def submission(dataset: str, system: str) -> Path:
    """What goes to the owners of withheld labels."""
    return run(dataset, system) / "submission.csv"


def degraded(dataset: str, system: str) -> Path:
    return run(dataset, system) / "degraded.parquet"


def cases(dataset: str) -> Path:
    """Holds what is shown of trials that MVP gets right and its rival wrong, a table a kind."""
    return DATA / dataset / "cases"


def history(dataset: str, system: str) -> Path:
    return run(dataset, system) / "history.parquet"


def result(dataset: str, system: str) -> Path:
    return RESULTS / f"{dataset}-{system}.json"


def comparisons(dataset: str) -> Path:
    """Of every two systems."""
    return RESULTS / f"{dataset}-comparisons.json"


def correlations(dataset: str) -> Path:
    """Of every system that estimates intensities against the full one."""
    return RESULTS / f"{dataset}-correlations.json"


def study(published: str) -> Path:
    """What came of features that owners publish."""
    return RESULTS / f"{published}.json"


def study_page(published: str) -> Path:
    return RESULTS / f"{published}.html"


def quality(name: str) -> Path:
    """Of a data set as ingested, or of DATASET-check: as it lies on disk."""
    return RESULTS / "quality" / f"{name}.html"


def sync(dataset: str) -> Path:
    return DATA / dataset / "sync.parquet"


def account(dataset: str) -> Path:
    """What became of its recordings in every stage."""
    return DATA / "accounts" / dataset / "ledgers.parquet"


def timing(dataset: str) -> Path:
    return DATA / "accounts" / dataset / "timing.parquet"


def shown(dataset: str) -> Path:
    """Crops of a few of its recordings, for the report."""
    return DATA / "accounts" / dataset / "faces.parquet"


def confusion(dataset: str, system: str, target: str) -> Path:
    return RESULTS / "plots" / dataset / f"{system}-{target}.csv"


def deciles(dataset: str, system: str, selection: str, target: str) -> Path:
    """In a folder beside that of `confusion`, which is another stage's."""
    return RESULTS / "plots" / f"{dataset}-deciles" / f"{system}-{selection}-{target}.csv"


def ledger(out: Path) -> Path:
    """The ledger of a stage that works recording by recording."""
    return out / "_ledger.parquet"
