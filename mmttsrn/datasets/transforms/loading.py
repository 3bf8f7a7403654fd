"""Loading of video frames."""

import cv2
from mmcv.transforms import BaseTransform

from mmttsrn.errors import UserInputError
from mmttsrn.formats.frames import read_frame
from mmttsrn.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadVideoFrame(BaseTransform):
    """Loads a frame, an image or ``video.mp4/00012``, of the size that its json promises.

    A cut-off JPEG is refused: its missing part would be trained on as grey.

    Args:
        backend_args: Arguments of the mmengine file backend.

    Raises:
        UserInputError: The frame is missing, unreadable or of another size.
    """

    def __init__(self, backend_args: dict | None = None) -> None:
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Add ``img`` (H, W, 3) BGR uint8, ``img_shape`` and ``ori_shape`` (H, W)."""
        path = results["img_path"]
        image = read_frame(path, self.backend_args)
        expected = (results.get("height", image.shape[0]), results.get("width", image.shape[1]))
        if image.shape[:2] != expected:
            sizes = f"height and width {expected} of its annotation file, got {image.shape[:2]}"
            raise UserInputError(f"{path}: expected the {sizes}")
        results["img"] = cv2.cvtColor(image, cv2.COLOR_RGB2BGR, image)
        results["img_shape"] = results["ori_shape"] = image.shape[:2]
        return results
