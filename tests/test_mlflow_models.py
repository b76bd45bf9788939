"""Models as MLflow gets them: one graph for all folds, which shows nobody."""

import pytest
import torch

from pipeline_lib.core.tracking import noise_like
from tests.test_models import batch, build, lengths_of, small, systems

pytestmark = pytest.mark.filterwarnings("ignore")  # of tracing, as the sender does


@systems
def test_folds_share_a_graph(system: str) -> None:
    from pipeline_lib.mlflow_models import Traced

    config = small(system)
    lengths = lengths_of(config)
    items = batch(system, 2, lengths)
    stand_in = {name: noise_like(values) for name, values in items.items()}
    first, second = (build(system, config, lengths).eval() for _ in range(2))
    torch.nn.init.normal_(next(second.parameters()))
    traced = Traced(first, stand_in)
    assert traced.adopt(second, stand_in)
    torch.testing.assert_close(traced._program.module()(*items.values()), second(**items))


def test_noise_leaves_padding_and_lengths() -> None:
    signal = torch.tensor([[[0.0, 3.0], [1.0, 1.0], [0.0, 0.0]]])
    stand_in = noise_like(signal)
    assert stand_in.ne(0).tolist() == [[[True, True], [True, True], [False, False]]]
    assert not torch.isin(stand_in[:, :2], signal).any()
    assert noise_like(torch.tensor([2])).tolist() == [2]
