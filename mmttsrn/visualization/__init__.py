"""Drawing of instance sequences: overlays of frames and videos."""
