"""Loading of video frames."""

import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio

from mmttsrn.errors import UserInputError
from mmttsrn.registry import TRANSFORMS

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"


@TRANSFORMS.register_module()
class LoadVideoFrame(LoadImageFromFile):
    """Loads a frame and checks it: readable, complete, of the size its json promises.

    A cut-off JPEG counts as unreadable: decoders fill its missing part with grey and go on, which
    would train on wrong pixels.

    Args:
        color_type: Flag of :func:`mmcv.imfrombytes`.
        imdecode_backend: Decoder of :func:`mmcv.imfrombytes`.
        backend_args: Arguments of the mmengine file backend.

    Raises:
        UserInputError: The frame is missing, unreadable or of another size.
    """

    def __init__(
        self,
        color_type: str = "color",
        imdecode_backend: str = "cv2",
        backend_args: dict | None = None,
    ) -> None:
        super().__init__(
            color_type=color_type, imdecode_backend=imdecode_backend, backend_args=backend_args
        )

    def transform(self, results: dict) -> dict:
        """Add ``img`` (H, W, 3) BGR uint8, ``img_shape`` and ``ori_shape`` (H, W)."""
        path = results["img_path"]
        image = self._read(path)
        expected = (results.get("height", image.shape[0]), results.get("width", image.shape[1]))
        if image.shape[:2] != expected:
            raise UserInputError(
                f"{path}: image is {image.shape[1]}x{image.shape[0]} but its annotation file says"
                f" {expected[1]}x{expected[0]} (width x height); use the frames that belong to"
                " the file or correct its width and height"
            )
        results["img"] = image
        results["img_shape"] = results["ori_shape"] = image.shape[:2]
        return results

    def _read(self, path: str) -> np.ndarray:
        try:
            content = fileio.get(path, backend_args=self.backend_args)
        except OSError as error:
            problem = "not found" if isinstance(error, FileNotFoundError) else error.strerror
            raise UserInputError(f"{path}: image {problem}; check data_prefix") from error
        # Some encoders pad the file, so the end marker need not be the very last bytes.
        cut_off = content.startswith(_JPEG_START) and _JPEG_END not in content[-4096:]
        image = None
        if content and not cut_off:
            image = mmcv.imfrombytes(content, flag=self.color_type, backend=self.imdecode_backend)
        if image is None:
            problem = "is cut off" if cut_off else "cannot be decoded"
            raise UserInputError(
                f"{path}: image {problem} ({len(content)} bytes); replace the file"
            )
        return image
