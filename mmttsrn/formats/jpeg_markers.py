"""The markers of JPEG files, which say where a picture ends, whatever bytes come after it."""

import re

START, END = b"\xff\xd8", b"\xd9"
# The next marker. Fill bytes (FF), stuffed bytes (00) and restart markers belong to coded pixels.
_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])", re.DOTALL)
# Markers of headers and tables, which are followed by their length, and of scans.
_WITH_LENGTH = frozenset([*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xFE])


def is_cut_off(content: bytes) -> bool:
    """Return whether the picture of a JPEG file ends before its end marker.

    Its markers are gone through, not its bytes searched: thumbnails in headers have an end of their
    own, and cameras append whole pictures, videos and data of theirs.
    """
    position = len(START)
    while marker := _MARKER.search(content, position):
        if marker[1] == END:
            return False
        if marker[1][0] not in _WITH_LENGTH:
            return True  # what follows is not of this picture
        length = content[marker.end() : marker.end() + 2]
        position = marker.end() + int.from_bytes(length, "big")
    return True
