"""Initialise a module with published weights: the ``init_cfg`` of the configs."""

from pathlib import Path

from mmengine.logging import print_log
from mmengine.model import update_init_info
from torch import Tensor, nn

from mmttsrn.checkpoints.fetching import cached_path
from mmttsrn.checkpoints.host_loading import local_path
from mmttsrn.checkpoints.loading import load_checkpoint_file
from mmttsrn.checkpoints.state import (
    BATCH_COUNTER,
    check_backbone_depth,
    check_finite,
    named_tensors,
)
from mmttsrn.checkpoints.state_difference import StateDifference, compare_state
from mmttsrn.errors import UserInputError
from mmttsrn.registry import WEIGHT_INITIALIZERS


@WEIGHT_INITIALIZERS.register_module()
class PretrainedWeights:
    """Weights from a file, or from a URL that is downloaded once, read without running code.

    What the file has nothing for is left as it is and named in the log; weights of another
    architecture are refused.

    Args:
        checkpoint: A local file, ``.pth`` or ``.safetensors``; None for that of ``url``.
        url: Where the weights are published.
        sha256: First digits of the SHA-256 of what ``url`` gives, which the file is checked by.
        prefix: Take the tensors whose names begin with this, without it. A converted checkpoint
            has the weights of the backbone under ``"backbone."``.

    Raises:
        UserInputError: There is neither file nor URL.
    """

    def __init__(
        self,
        checkpoint: str | None = None,
        url: str | None = None,
        sha256: str | None = None,
        prefix: str | None = None,
    ) -> None:
        if checkpoint is None and url is None:
            raise UserInputError("init_cfg: PretrainedWeights needs checkpoint=FILE or url=URL")
        self.checkpoint = checkpoint
        self.url = url
        self.sha256 = sha256
        self.prefix = prefix

    def __call__(self, module: nn.Module) -> None:
        """Load the weights into the module that has this as its ``init_cfg``.

        Raises:
            UserInputError: The file is missing, cannot be downloaded or read, or does not fit, or
                holds NaN. The
                message says how to get it.
        """
        owner = type(module).__name__
        path = self._local_file(owner)
        state = named_tensors(load_checkpoint_file(path), str(path))
        if self.prefix is not None:
            prefix = self.prefix.removesuffix(".") + "."
            state = {
                name.removeprefix(prefix): tensor
                for name, tensor in state.items()
                if name.startswith(prefix)
            }
        check_finite(state, f"{owner}.init_cfg: {path}")
        difference = self._compare(module, state, f"{owner}.init_cfg: {path}")
        module.load_state_dict(state, strict=False)
        loaded = len(module.state_dict()) - len(difference.missing)
        missing = [name for name in difference.missing if not name.endswith(BATCH_COUNTER)]
        message = f"{owner}: {loaded} of {len(state)} tensors loaded from {path}"
        if missing:
            message += f"; not in it, so newly initialised: {', '.join(missing)}"
        print_log(message, logger="current")
        if hasattr(module, "_params_init_info"):
            update_init_info(module, init_info=f"PretrainedWeights: loaded from {path}")

    def _local_file(self, owner: str) -> Path:
        """Return the file with the weights, downloaded if need be."""
        if self.checkpoint is None:
            assert self.url is not None
            try:
                return local_path(self.url, self.sha256)
            except UserInputError as error:
                raise UserInputError(
                    f"{owner}.init_cfg: {error}; the command is "
                    f"{_command(self.url, cached_path(self.url))}; init_cfg.checkpoint=FILE takes "
                    "another place, init_cfg=None starts from random weights"
                ) from error
        path = Path(self.checkpoint).expanduser()
        if path.is_file():
            return path
        remedy = f"download it: {_command(self.url, path)}" if self.url else "name one that exists"
        raise UserInputError(
            f"{owner}.init_cfg: checkpoint={self.checkpoint}: there is no such file; {remedy} "
            "(or set init_cfg=None to start from random weights)"
        )

    def _compare(self, module: nn.Module, state: dict[str, Tensor], origin: str) -> StateDifference:
        """Compare the weights with the module; refuse those of another architecture."""
        own, difference = module.state_dict(), compare_state(module, state)
        shared = len(own) - len(difference.missing)
        if not shared:
            names = ", ".join(list(state)[:3]) or f"none that begins with {self.prefix!r}"
            raise UserInputError(
                f"{origin}: nothing in it fits (its names: {names}); set init_cfg.prefix, e.g. "
                '"backbone." for a whole model, or convert the file with '
                "tools/model_converters/convert_checkpoint.py"
            )
        if difference.misshapen:
            raise UserInputError(
                f"{origin}: weights of another architecture: {len(difference.misshapen)} of "
                f"{shared} tensors have another shape, e.g. {difference.misshapen[0]}"
            )
        check_backbone_depth(state, own, origin)
        return difference


def _command(url: str, path: Path) -> str:
    return f"curl -L --create-dirs -o {path} {url}"
