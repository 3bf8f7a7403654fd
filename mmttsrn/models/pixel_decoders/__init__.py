"""Pixel decoders: from the maps of backbone and neck to what masks are read from."""

from mmttsrn.models.pixel_decoders.fpn_pixel_decoder import FPNPixelDecoder
from mmttsrn.models.pixel_decoders.frame_pixel_decoder import FramePixelDecoder

__all__ = ["FPNPixelDecoder", "FramePixelDecoder"]
