"""What a run of a system on embeddings leaves: estimates, ledger, curves, choices, weights."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial

import polars as pl
from safetensors.torch import save_file

from pipeline_lib.core import paths, tables
from pipeline_lib.fusion import submission, training
from pipeline_lib.learning import crossval

log = logging.getLogger(__name__)


def write(
    dataset: str,
    system: str,
    results: Mapping[int, training.Fused],
    folds: pl.DataFrame,
    *,
    missing: Mapping[str, str],
    names: Sequence[str],
    asked: Sequence[str],
) -> None:
    """Write all into the run's folder; a submission if labels of the tests are withheld.

    folds   : schema.FOLDS
    missing : recording_id -> why the system could not use it
    names   : of the targets
    asked   : recordings of the owners' test, usable or not
    """
    out = paths.run(dataset, system)
    estimates = pl.concat(result.estimates for result in results.values())
    tables.write_table(estimates, paths.estimates(dataset, system))
    used = folds.filter(~pl.col("recording_id").is_in(list(missing)))  # not all are estimated
    tables.write_table(crossval.ledger(folds, used, missing), paths.ledger(out))
    histories = {number: result.history for number, result in results.items()}
    tables.write_table(crossval.history(histories), paths.history(dataset, system))
    tables.write_table(training.selections(histories), paths.selections(dataset, system))
    if not estimates.filter(role="withheld").is_empty():
        table, unknown = submission.table(estimates, names, asked=asked)
        tables.write_csv(table, paths.submission(dataset, system))
        if unknown:
            log.warning("%s: mean of the others for %s", paths.submission(dataset, system), unknown)
    for number, result in results.items():
        for selection, weights in result.weights.items():
            file = paths.weights(out, number, selection)
            tables.atomic_write(file, partial(save_file, weights))
