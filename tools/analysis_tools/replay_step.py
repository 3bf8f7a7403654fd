"""Repeats a training step whose loss was not finite, and says where that begins.

DUMP is what tools/train.py has written for the step; the data set is read from where its config
says.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner
from torch import Tensor, nn

from mmttsrn.checkpoints.loading import load_checkpoint_file
from mmttsrn.checkpoints.stored_config import stored_config
from mmttsrn.cli.command_line import add_cfg_options_argument, build_runner
from mmttsrn.cli.config_options import set_cfg_options
from mmttsrn.cli.user_errors import report_user_errors
from mmttsrn.datasets.seeded_sampling import SeededIndex, seed_process
from mmttsrn.errors import DivergedError, UserInputError


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dump", type=Path, metavar="DUMP")
    add_cfg_options_argument(parser)
    return parser.parse_args()


def read_dump(path: Path) -> tuple[Config, dict[str, Any]]:
    """Config and content of a dump.

    Raises:
        UserInputError: It is none.
    """
    content = load_checkpoint_file(path)
    if not isinstance(content, dict) or not {"samples", "seed", "meta"} <= content.keys():
        raise UserInputError(f"{path}: is no dump of a training step; see work_dir/diverged_*.pth")
    return stored_config(content, str(path)), content


def is_finite(values: Any) -> bool:
    """Whether the tensors in what a module takes or gives hold neither NaN nor infinite numbers."""
    if isinstance(values, Tensor):
        return not values.is_floating_point() or bool(values.isfinite().all())
    if isinstance(values, dict):
        return all(is_finite(value) for value in values.values())
    return not isinstance(values, list | tuple) or all(is_finite(value) for value in values)


def watch(model: nn.Module, found: list[str]) -> None:
    """Let every module note when it gives what is not finite for finite input."""

    def note(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, outputs: Any) -> None:
            if is_finite(inputs) and not is_finite(outputs):
                found.append(f"{name} ({type(module).__name__})")

        return hook

    for name, module in model.named_modules():
        if name:
            module.register_forward_hook(note(name))


def replay(runner: Runner, content: dict[str, Any]) -> None:
    """Repeat the step and print its losses and where they go wrong."""
    model = runner.model.train()
    model.load_state_dict(content["state_dict"])
    for name, value in model.state_dict().items():
        if not is_finite(value):
            print(f"weights: {name} is not finite before the step")
    loader = runner.build_dataloader(runner.cfg.train_dataloader, seed=0)
    samples = [loader.dataset[SeededIndex(value, seed)] for value, seed in content["samples"]]
    wrapper = runner.build_optim_wrapper(runner.cfg.optim_wrapper)
    found: list[str] = []
    watch(model, found)
    seed_process(content["seed"])
    try:
        with wrapper.optim_context(model):
            data = model.data_preprocessor(loader.collate_fn(samples), True)
            losses = model(**data, mode="loss")
            total, _ = model.parse_losses(losses)
    except DivergedError as error:
        print(f"forward pass: {error}")
    else:
        for name, value in losses.items():
            print(f"{name}: {value.item():.6g}")
        print(f"loss of step {content['meta']['step']}: {total.item():.6g}")
        if total.isfinite():
            total.backward()
            for name, parameter in model.named_parameters():
                if not is_finite(parameter.grad):
                    print(f"gradient: {name} is not finite")
    if found:
        print(f"first module that gives what is not finite for finite input: {found[0]}")


@report_user_errors()
def main() -> None:
    """Repeat the step."""
    args = parse_args()
    cfg, content = read_dump(args.dump)
    set_cfg_options(cfg, args.cfg_options)
    with tempfile.TemporaryDirectory() as folder:
        cfg.work_dir = folder
        cfg.log_level = "WARNING"
        cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
        replay(build_runner(cfg), content)


if __name__ == "__main__":
    main()
