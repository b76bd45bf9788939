"""Which parts of a trial MVP's answer hangs on, as far as its own weights tell.

What it shows. The answer for a target is read from the query tokens, which are physiology. A query
counts by how much it adds to the target's logit after the last layer: exact for `readout: mean`,
where the logit is the sum of these; by the attention of the readout for `cls`; the last one alone
for `last`. Queries attend to video tokens: the weights of all layers and heads are averaged, and
each query's row counts as the query does. A token is a weighted sum over time of what the 1D-CNN
makes of it, so it is spread over time by the size of each addend: weight times length of vector.

What it does not show. Attention says where a model looks, not why it answers: other weights may
give the same answer, and what is looked at may count for nothing (Jain and Wallace, NAACL 2019).
The residual stream passes the physiology on around attention, so the video may matter less than
its map suggests: each map says how one modality's share is spread, not how large it is. No sign is
shown: a stretch may speak for a class or against it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.layers import MVP, Backbone
from pipeline_lib.core.schema import TARGETS
from pipeline_lib.learning.training import Batch
from pipeline_lib.stored_features.trials import COUNTS, Modality

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Explained:
    """An answer and what it hangs on."""

    scores: dict[str, float]  # target -> probability of 1
    # target -> modality -> (n_frames,) or (n_times,), 1 on average; empty if nothing was recorded
    over_time: dict[str, dict[Modality, Floats]]


@dataclass
class _Seen:
    """What passed through a model in one forward pass of one trial."""

    attention: list[Tensor] = field(default_factory=list)  # a layer: (N, M), averaged over heads
    readout: Tensor | None = None  # (N,), attention of the CLS token
    fused: Tensor | None = None  # (N, D)
    convolved: dict[Modality, Tensor] = field(default_factory=dict)  # (D, T)


def explain(model: MVP, trial: Batch) -> Explained:
    """Answer for one trial, and the spread of what it hangs on.

    trial : inputs of the model, without labels, with a batch axis of 1
    """
    model.eval()
    with torch.inference_mode(), _watched(model) as seen:
        logits = model(**trial)[0]
        queries = _queries(model, seen)  # (2, N)
        attention = torch.stack(seen.attention).mean(dim=0)  # (N, M)
        n_tokens = model.visual.over_time.out_features
        video = _shares(queries @ attention[:, :n_tokens])  # without the zero to attend to
        tokens: dict[Modality, tuple[Backbone, Tensor]] = {
            "visual": (model.visual, video),
            "physio": (model.physio, queries),
        }
        spread = {
            modality: _over_time(backbone, weights, seen.convolved[modality], trial, modality)
            for modality, (backbone, weights) in tokens.items()
        }
    return Explained(
        dict(zip(TARGETS, logits.double().sigmoid().tolist(), strict=True)),
        {
            target: {modality: found[i] for modality, found in spread.items()}
            for i, target in enumerate(TARGETS)
        },
    )


def _queries(model: MVP, seen: _Seen) -> Tensor:
    """How much each query counts for each target: (2, N), each row with the sum 1."""
    assert seen.fused is not None  # every forward pass ends in the norm
    n_targets, n_tokens = len(TARGETS), len(seen.fused)
    match model.fusion.readout.kind:
        case "mean":
            return _shares((model.head.weight @ seen.fused.T).abs())
        case "cls":
            assert seen.readout is not None  # the readout of this kind attends
            return seen.readout.expand(n_targets, -1)
        case "last":
            return torch.eye(n_tokens)[-1].expand(n_targets, -1)


def _over_time(
    backbone: Backbone, weights: Tensor, convolved: Tensor, trial: Batch, modality: Modality
) -> Floats:
    """Weights of tokens (2, N) over the true length of a recording: (2, T), 1 on average."""
    length = int(trial[COUNTS[modality]][0])
    sizes = convolved[:, :length].norm(dim=0)  # (T,)
    if modality == "visual" and "faces" in trial:
        sizes = sizes * trial["faces"][0, :length]
    addends = backbone.over_time.weight[:, :length].abs() * sizes  # (N, T)
    spread: Floats = (_shares(weights @ _shares(addends)) * length).double().numpy()
    return spread


def _shares(x: Tensor) -> Tensor:
    """Rows that sum to 1; a row of zeros stays one."""
    return x / x.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)


@contextmanager
def _watched(model: MVP) -> Iterator[_Seen]:
    """Ask the attention of a model for its weights, and note them and what lies around them."""
    seen = _Seen()

    def ask(_: nn.Module, args: Any, kwargs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, {**kwargs, "need_weights": True, "average_attn_weights": True}

    def note_attention(_: nn.Module, __: Any, output: tuple[Tensor, Tensor]) -> None:
        seen.attention.append(output[1][0])

    def note_readout(_: nn.Module, __: Any, output: tuple[Tensor, Tensor]) -> None:
        seen.readout = output[1][0, 0]

    def note_fused(_: nn.Module, __: Any, output: Tensor) -> None:
        seen.fused = output[0]

    def note_convolved(modality: Modality) -> Any:
        def note(_: nn.Module, __: Any, output: Tensor) -> None:
            seen.convolved[modality] = output[0]  # its ReLU is in place

        return note

    handles = [model.fusion.norm.register_forward_hook(note_fused)]
    handles += [
        model.visual.convolutions[-1].register_forward_hook(note_convolved("visual")),
        model.physio.convolutions[-1].register_forward_hook(note_convolved("physio")),
    ]
    watched: list[tuple[nn.Module, Any]] = [
        (layer.get_submodule("attention"), note_attention) for layer in model.fusion.layers
    ]
    if model.fusion.readout.kind == "cls":
        watched.append((model.fusion.readout.attention, note_readout))
    for attention, note in watched:
        handles.append(attention.register_forward_pre_hook(ask, with_kwargs=True))
        handles.append(attention.register_forward_hook(note))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
