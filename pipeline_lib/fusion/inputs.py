"""The inputs of a system on tokens, from where their stages left them."""

from collections.abc import Sequence
from pathlib import Path

from pipeline_lib.core import paths, tables
from pipeline_lib.core.schema import EMBEDDINGS, FEATURES as STORED
from pipeline_lib.fusion.tokens import FEATURES, Array, Tokens, joined, of_embeddings, of_features


def read(dataset: str, recordings: Sequence[str], *, names: Sequence[str], n_tokens: int) -> Tokens:
    """The inputs of these recordings side by side, each read and placed before the next."""
    arrays = {name: _read(dataset, recordings, name, n_tokens=n_tokens) for name in names}
    return joined(arrays, recordings, n_tokens=n_tokens)


def files(dataset: str, name: str) -> list[Path]:
    """What an input's content can be told by."""
    if name in FEATURES:
        return tables.shards(paths.features(dataset))
    return [paths.ledger(paths.embeddings(dataset, name))]


def _read(dataset: str, recordings: Sequence[str], name: str, *, n_tokens: int) -> Array:
    if name in FEATURES:
        stored = tables.read_shards(paths.features(dataset), STORED)
        return of_features(stored, recordings, modality=name, n_tokens=n_tokens)
    rows = tables.read_shards(paths.embeddings(dataset, name), EMBEDDINGS)
    return of_embeddings(rows, recordings, encoder=name)
