"""Time and memory of a training step of ViPER's Perceiver, or another system of `fusion`.

    python -m stages.benchmark_fusion [--system viper] [--batch 16] [--steps 2]

At `scale: paper`, on the CPU, on random tokens as wide as those of the papers' encoders. No stage
of the DAG: the numbers are a machine's.
"""

import argparse
import sys

from models.fusion_benchmark import WIDTHS, train
from pipeline_lib.params import load_params


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--system", default="viper", help="of systems.fuse")
    parser.add_argument("--batch", type=int, help="recordings; default: that of params")
    parser.add_argument("--steps", type=int, default=2, help="of which the fastest counts")
    arguments = parser.parse_args()
    params = load_params()
    config = params.fusion["paper"][arguments.system]
    measured = train(
        config,
        widths={name: WIDTHS[name] for name in config.inputs},
        batch_size=arguments.batch or config.batch_size,
        steps=arguments.steps,
        seed=params.seed,
    )
    sys.stdout.write(", ".join(f"{name} {value:.10g}" for name, value in measured.items()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
