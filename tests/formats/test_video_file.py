"""What decoding gives counts, whatever the header of a file says."""

import http.server
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from made_videos import grey_frames, packet_times, write_video

from mmttsrn.errors import UserInputError
from mmttsrn.formats.frames import read_frame
from mmttsrn.formats.video_file import VideoFile, is_video, to_rgb
from mmttsrn.formats.videos import open_source
from mmttsrn.visualization.video_io import Mp4Writer

T = 24
# Container, encoder and its options.
KINDS = {
    "mp4": ("a.mp4", "libx264", {"bf": "0"}),
    "mp4 with B frames": ("a.mp4", "libx264", {"bf": "3", "g": "8"}),
    "mp4 with open groups": ("a.mp4", "libx264", {"bf": "3", "g": "8", "x264opts": "open-gop=1"}),
    "hevc": ("a.mp4", "libx265", {"x265-params": "log-level=none:keyint=8"}),
    "mov": ("a.mov", "mpeg4", {"g": "8"}),
    "mkv": ("a.mkv", "libx264", {"g": "8"}),
    "webm": ("a.webm", "libvpx", {"deadline": "realtime"}),
    "flv": ("a.flv", "flv1", {}),
    "ts": ("a.ts", "mpeg2video", {"bf": "2", "g": "8"}),
    "mpg": ("a.mpg", "mpeg1video", {}),
    "avi": ("a.avi", "mjpeg", {}),
    "wmv": ("a.wmv", "wmv2", {}),
    "3gp": ("a.3gp", "mpeg4", {}),
    "gif": ("a.gif", "gif", {}),
}


def frames_of(path: Path) -> np.ndarray:
    return np.stack([to_rgb(frame.picture) for frame in VideoFile(path)])


@pytest.mark.parametrize(("name", "codec", "options"), KINDS.values(), ids=KINDS)
def test_every_frame_is_read_in_order_and_by_number(tmp_path, name, codec, options):
    path = write_video(tmp_path / name, grey_frames(T), codec, options=options)
    source = open_source(path)
    frames = list(source)
    assert (len(frames), source.unreadable, source.ends_early) == (T, 0, "")
    assert source.seconds[-1] == pytest.approx((T - 1) / 30, abs=0.02)
    means = [np.mean(stack, (1, 2, 3)) for stack in (frames, grey_frames(T))]
    assert np.abs(means[0] - means[1]).max() < 6
    for number in [20, 3, *np.random.default_rng(0).permutation(T).tolist()]:
        assert np.array_equal(read_frame(path / f"{number:05d}"), frames[number]), number


def test_a_part_that_is_left_out_by_an_edit_list_is_no_missing_frame(tmp_path):
    """As phones and stream copies cut videos: 100 frames are in the file, and 20 are shown."""
    whole = write_video(tmp_path / "whole.mp4", grey_frames(100), options={"bf": "2", "g": "100"})
    path = tmp_path / "cut.mp4"

    def earlier(number: int, packet: av.Packet) -> av.Packet:
        start = 80 * packet.time_base.denominator // 30
        packet.pts, packet.dts = packet.pts - start, packet.dts - start
        return packet

    remux(whole, path, earlier)
    source = open_source(path)
    frames = list(source)
    assert len(frames) == 20
    assert (source.unreadable, source.ends_early) == (0, "")
    for number in (19, 2, 0):
        assert np.array_equal(read_frame(path / f"{number:05d}"), frames[number])


def test_times_of_uneven_frames_are_those_of_the_file(tmp_path):
    """A recording of a browser: its header promises neither length nor rate."""
    times = np.cumsum([0, *np.random.default_rng(0).choice([0.04, 0.11], T - 1)])
    path = write_video(
        tmp_path / "a.webm",
        grey_frames(T),
        "libvpx",
        rate=1000,
        seconds=times,
        options={"deadline": "realtime"},
        container_options={"live": "1"},
    )
    source = open_source(path)
    assert (len(list(source)), source.unreadable) == (T, 0)
    assert source.seconds.tolist() == pytest.approx(times.tolist(), abs=2e-3)
    assert source.fps == pytest.approx((T - 1) / times[-1], rel=0.01)


def remux(path: Path, target: Path, change: Callable[[int, av.Packet], av.Packet]) -> Path:
    """Write the packets of a video as ``change`` gives them for their number."""
    with av.open(str(path)) as source, av.open(str(target), "w") as file:
        stream = file.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.dts is not None:
                changed = change(number, packet)
                changed.stream = stream
                file.mux(changed)
    return target


def test_frames_of_the_same_time_follow_one_another(tmp_path):
    whole = write_video(tmp_path / "whole.mkv", grey_frames(5), "mjpeg", rate=10)

    def same_time(number: int, packet: av.Packet) -> av.Packet:
        packet.pts = packet.dts = [0, 100, 100, 100, 200][number]
        return packet

    source = open_source(remux(whole, tmp_path / "a.mkv", same_time))
    frames = list(source)
    assert all(np.diff(source.seconds) > 0)
    assert source.seconds.tolist() == pytest.approx([0, 0.1, 0.1, 0.1, 0.2], abs=0.01)
    for number in (4, 2, 0, 3):
        assert np.array_equal(read_frame(tmp_path / "a.mkv" / f"{number:05d}"), frames[number])


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "mpeg4")])
def test_a_file_that_is_cut_off_says_what_is_missing(tmp_path, name, codec):
    options = {"movflags": "faststart"} if name == "a.mp4" else {}
    frames = np.random.default_rng(0).integers(0, 255, (60, *grey_frames(1).shape[1:]), np.uint8)
    path = write_video(tmp_path / name, frames, codec, container_options=options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = open_source(path)
    assert 10 < len(list(source)) < 50
    assert "of 2.0 s: it is cut off or damaged" in source.ends_early
    with pytest.raises(UserInputError, match=rf"{name}: (ends after|after frame)"):
        list(open_source(path, broken="refuse"))


def test_frames_that_cannot_be_decoded_are_counted(tmp_path):
    """Every third packet is another one's noise."""
    whole = write_video(tmp_path / "whole.mp4", grey_frames(T), "png", kind="mov")

    def noise(number: int, packet: av.Packet) -> av.Packet:
        if number % 3 != 1:
            return packet
        other = av.Packet(bytes(range(200)))
        other.pts, other.dts, other.time_base = packet.pts, packet.dts, packet.time_base
        return other

    path = remux(whole, tmp_path / "a.mov", noise)
    source = open_source(path)
    frames = list(source)
    assert (len(frames), source.unreadable, source.ends_early) == (16, 8, "")
    assert source.seconds[1] == pytest.approx(2 / 30)  # the frame between is missing
    assert np.array_equal(read_frame(path / "00001"), frames[1])
    assert np.array_equal(read_frame(path / "00015"), frames[15])
    assert np.array_equal(read_frame(path / "00002"), frames[2])
    with pytest.raises(UserInputError, match=r"a\.mov: after frame 0: cannot be decoded"):
        list(open_source(path, broken="refuse"))


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_a_turned_video_is_upright(tmp_path, degrees):
    whole = write_video(tmp_path / "whole.mp4", grey_frames(3))
    path = tmp_path / "turned.mp4"
    with av.open(str(whole)) as source, av.open(str(path), "w") as file:
        stream = file.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(degrees)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                file.mux(packet)
    assert read_frame(path / "00001").flags.c_contiguous  # as OpenCV and PyTorch want it
    upright = np.rot90(frames_of(whole), degrees // 90, axes=(1, 2))
    assert np.array_equal(frames_of(path), upright)


@pytest.mark.parametrize(
    "name", ["12:30:05.mp4", "run:1/a.mp4", "%03d.mp4", "a?b=1#c.mp4", "é 视.mp4"]
)
def test_names_are_taken_as_they_are(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_video(Path(name), grey_frames(2))
    assert len(list(open_source(name))) == 2


@pytest.mark.parametrize("kind", ["picture", "text", "sound", "sound with cover", "nothing"])
def test_other_files_are_no_videos(tmp_path, kind):
    path = tmp_path / "a.bin"
    if kind == "picture":
        write_video(path, grey_frames(1), "png", kind="image2pipe")
    elif kind == "text":
        path.write_text("\x1b[31mnot a video\n" * 200)
    elif kind in ("sound", "sound with cover"):
        write_sound(path, with_cover=kind == "sound with cover")
    else:
        path.write_bytes(bytes(4096))
    assert not is_video(path)
    with pytest.raises(UserInputError, match=r"a\.bin: cannot be opened as a video: "):
        VideoFile(path)


def write_sound(path: Path, with_cover: bool) -> None:
    with av.open(str(path), "w", format="mp3") as file:
        audio = file.add_stream("mp3", 44_100)
        cover = file.add_stream("png") if with_cover else None
        if cover is not None:
            cover.width, cover.height, cover.pix_fmt = 64, 48, "rgb24"
            cover.disposition = av.stream.Disposition.attached_pic
            picture = av.VideoFrame.from_ndarray(grey_frames(1)[0], format="rgb24")
            file.mux(cover.encode(picture))
            file.mux(cover.encode(None))
        for start in range(0, 44_100, 1152):
            piece = av.AudioFrame.from_ndarray(
                np.zeros((2, 1152), np.float32), format="fltp", layout="stereo"
            )
            piece.sample_rate, piece.pts, piece.time_base = 44_100, start, Fraction(1, 44_100)
            file.mux(audio.encode(piece))
        file.mux(audio.encode(None))


def test_times_that_start_again_go_on(tmp_path):
    """As where recordings are joined."""
    one = write_video(tmp_path / "1.ts", grey_frames(30), kind="mpegts", sound=1)
    two = tmp_path / "2.ts"
    two.write_bytes(one.read_bytes() + one.read_bytes())
    source = open_source(two)
    assert len(list(source)) == 60
    assert np.diff(source.seconds).tolist() == pytest.approx([1 / 30] * 59, abs=1e-3)
    assert source.fps == 30
    with Mp4Writer(tmp_path / "out.mp4", 30, sound=two) as writer:
        for frame, seconds in zip(grey_frames(60), source.seconds, strict=True):
            writer.write(frame, seconds)
    assert len(packet_times(tmp_path / "out.mp4")) == 60


def test_a_title_that_is_no_utf_8_does_not_matter(tmp_path):
    path = write_video(tmp_path / "a.mkv", grey_frames(3), metadata={"title": "cafe"})
    path.write_bytes(path.read_bytes().replace(b"cafe", b"caf\xe9"))
    assert is_video(path)
    assert len(list(open_source(path))) == 3
    with Mp4Writer(tmp_path / "out.mp4", 30, sound=path) as writer:
        writer.write(grey_frames(1)[0])


@pytest.mark.parametrize("name", ["a.mkv", "a.avi"])
def test_the_length_of_pictures_is_known_beside_sound(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), np.uint8)
    path = write_video(tmp_path / name, noise, "mpeg4", sound=2)
    source = open_source(path)
    assert (len(list(source)), source.ends_early) == (60, "")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    source = open_source(path)
    assert 10 < len(list(source)) < 50
    assert "of 2.0 s: it is cut off" in source.ends_early


def test_a_stream_that_breaks_off_keeps_its_frames(tmp_path):
    """A server that promises more than it sends."""
    content = write_video(tmp_path / "a.ts", grey_frames(60), kind="mpegts").read_bytes()

    class Broken(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(2 * len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        source = open_source(f"http://127.0.0.1:{server.server_port}/a.ts")
        assert len(list(source)) > 50
        assert "ended by an error" in source.ends_early
        server.shutdown()
