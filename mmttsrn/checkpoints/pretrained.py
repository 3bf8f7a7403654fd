"""Initialise a module with published weights: the ``init_cfg`` of the configs."""

from pathlib import Path

from mmengine.logging import print_log
from mmengine.model import update_init_info
from torch import Tensor, nn

from mmttsrn.checkpoints.fetching import cached_path
from mmttsrn.checkpoints.host_loading import local_path
from mmttsrn.checkpoints.loading import load_checkpoint_file
from mmttsrn.checkpoints.state import BATCH_COUNTER, check_backbone_depth, named_tensors
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
        """Load the weights into a module.

        Args:
            module: The module that has this as its ``init_cfg``.

        Raises:
            UserInputError: The file is missing, cannot be downloaded or read, or does not fit. The
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
        fitting = _fitting(state, module, f"{owner}.init_cfg: {path}", self.prefix)
        module.load_state_dict(fitting, strict=False)
        missing = [
            name
            for name in module.state_dict()
            if name not in fitting and not name.endswith(BATCH_COUNTER)
        ]
        message = f"{owner}: {len(fitting)} of {len(state)} tensors loaded from {path}"
        if missing:
            message += f"; not in it, so newly initialised: {', '.join(missing)}"
        print_log(message, logger="current")
        if hasattr(module, "_params_init_info"):
            update_init_info(module, init_info=f"PretrainedWeights: loaded from {path}")

    def _local_file(self, owner: str) -> Path:
        """Return the file with the weights, downloaded if need be."""
        if self.checkpoint is None:
            assert self.url is not None
            return self._download(owner, self.url)
        path = Path(self.checkpoint).expanduser()
        if path.is_file():
            return path
        remedy = f"download it: {_command(self.url, path)}" if self.url else "name one that exists"
        raise UserInputError(
            f"{owner}.init_cfg: checkpoint={self.checkpoint}: there is no such file; {remedy} "
            "(or set init_cfg=None to start from random weights)"
        )

    def _download(self, owner: str, url: str) -> Path:
        """Return the path of the file in the cache."""
        try:
            return local_path(url, self.sha256)
        except UserInputError as error:
            raise UserInputError(
                f"{owner}.init_cfg: {error}; the command is {_command(url, cached_path(url))}; "
                "init_cfg.checkpoint=FILE takes another place, init_cfg=None starts from random "
                "weights"
            ) from error


def _fitting(
    state: dict[str, Tensor], module: nn.Module, origin: str, prefix: str | None
) -> dict[str, Tensor]:
    """Return the tensors that the module has, if they are those of its architecture."""
    own = module.state_dict()
    shared = {name: tensor for name, tensor in state.items() if name in own}
    if not shared:
        names = ", ".join(list(state)[:3]) or f"none that begins with {prefix!r}"
        raise UserInputError(
            f"{origin}: nothing in it fits (its names: {names}); set init_cfg.prefix, e.g. "
            '"backbone." for a whole model, or convert the file with '
            "tools/model_converters/convert_checkpoint.py"
        )
    misshapen = [name for name, tensor in shared.items() if tensor.shape != own[name].shape]
    if misshapen:
        name = misshapen[0]
        raise UserInputError(
            f"{origin}: weights of another architecture: {len(misshapen)} of {len(shared)} tensors "
            f"have another shape, e.g. {name} is {tuple(state[name].shape)} instead of "
            f"{tuple(own[name].shape)}"
        )
    check_backbone_depth(state, own, origin)
    return shared


def _command(url: str, path: Path) -> str:
    return f"curl -L --create-dirs -o {path} {url}"
