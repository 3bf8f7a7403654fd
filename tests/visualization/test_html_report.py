"""The page of a video, clicked in a headless browser where there is one."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from drawn_frames import frame_of

from mmttsrn.structures import FrameResults
from mmttsrn.visualization.html_report import MAX_FRAMES, HtmlReport

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
T, SIZE = 6, (90, 160)


def instances_of(number: int, with_scores: bool = True) -> FrameResults:
    """A square that moves and has a hole, and a bar that is hidden in frames 2 and 3."""
    masks = np.zeros((2, *SIZE), bool)
    masks[0, 20:60, 10 * number + 10 : 10 * number + 50] = True
    masks[0, 35:45, 10 * number + 25 : 10 * number + 35] = False
    masks[1, 65:80, 20:140] = number not in (2, 3)
    scores = [0.9, 0.4] if with_scores else None
    return frame_of([1, 7], ["square", "</script><!--<script>"], masks, scores=scores)


def write(path: Path, num_frames: int = T, with_truth: bool = True) -> None:
    black = np.zeros((*SIZE, 3), np.uint8)
    numbers = [("mAP", "0.500")] if with_truth else None
    with HtmlReport(path, "clip <b>.mp4", num_frames, 10.0, numbers) as report:
        for n in range(num_frames):
            true = instances_of(n + (n == 4), False) if with_truth else None
            report.add(black, instances_of(n), true)


def content_of(path: Path) -> dict:
    text = re.search(r'type="application/json">(.*?)</script>', path.read_text(), re.DOTALL)[1]
    assert "<" not in text  # what a browser takes for a tag or comment could end the data
    return json.loads(text)


def test_data_of_the_page(tmp_path: Path) -> None:
    write(tmp_path / "page.html")
    content = content_of(tmp_path / "page.html")
    assert (content["width"], content["height"], content["num_frames"]) == (160, 90, T)
    assert len(content["frames"]) == T
    square, bar = content["instances"]
    assert [square["label"], bar["label"]] == ["square 0.90 #1", "</script><!--<script> 0.40 #7"]
    assert (square["spans"], bar["spans"]) == ([[0, 5]], [[0, 1], [4, 5]])
    assert square["seen"]["1"]["box"] == [20, 20, 60, 60]
    assert len(square["seen"]["1"]["polygons"]) == 2  # with the hole
    assert content["truth"]["worst"][0][0] == 4
    assert content["truth"]["worst"][0][1] < 0.9
    assert content["truth"]["worst"][1][1] == 1


def test_a_long_video_has_some_of_its_frames(tmp_path: Path) -> None:
    with HtmlReport(tmp_path / "page.html", "long", 1000, 30.0) as report:
        for _ in range(1000):
            report.add(np.zeros((9, 16, 3), np.uint8), frame_of([], []))
    content = content_of(tmp_path / "page.html")
    assert len(content["frames"]) <= MAX_FRAMES
    assert content["frames"][1]["index"] == 4
    assert content["about"] == "1000 frames, every 4. one shown, 0 instances"
    assert content["truth"] is None


# What a user does, and what he sees then, written into the page.
CLICKS = """
<script>
const log = {};
const pixel = (x, y) => view.getContext("2d").getImageData(x * zoom, y * zoom, 1, 1).data;
const lit = (x, y) => [...pixel(x, y)].slice(0, 3).some(value => value > 40);
const set = (id, value) => { $(id).checked = value; $(id).onchange(); };
const wait = time => new Promise(done => setTimeout(done, time));
// The pictures are loaded then; the browser's virtual time does not wait for them to be decoded.
window.addEventListener("load", async () => {
  seek(0);
  for (const id of ["boxes", "labels"]) set(id, false);
  log.title = document.title;
  log.mask = lit(20, 40);
  log.hole = lit(30, 40);
  set("masks", false);
  log.maskOff = lit(20, 40);
  log.plain = lit(49, 24);
  set("boxes", true);
  log.box = lit(10, 30);
  set("boxes", false);
  set("masks", true);
  $("seek").value = 3;
  $("seek").oninput();
  log.seeked = [at, lit(60, 50), lit(100, 70)];
  $("score").value = 0.5;
  $("score").oninput();
  seek(0);
  log.scoreFilter = [lit(20, 40), lit(100, 70)];
  $("score").value = 0;
  $("score").oninput();
  document.querySelector('[data-name="square"]').click();
  log.classFilter = [lit(20, 40), lit(100, 70)];
  document.querySelector('[data-name="square"]').click();
  document.querySelectorAll(".thumb")[1].click();
  log.thumb = at;
  const track = document.querySelectorAll(".track")[0].getBoundingClientRect();
  document.querySelectorAll(".track")[0].dispatchEvent(
    new MouseEvent("click", {clientX: track.left + 0.7 * track.width, bubbles: true}));
  log.timeline = at;
  if (data.truth) {
    document.querySelector("#against-truth button").click();
    log.worst = [at, $("truth").checked];
  }
  seek(4);
  $("play").click();
  log.playing = $("play").textContent;
  await wait(500);
  log.played = [at, $("play").textContent];
  log.requests = performance.getEntriesByType("resource").map(entry => entry.name)
    .filter(name => !name.startsWith("data:"));
  const result = document.createElement("pre");
  result.id = "log";
  result.textContent = JSON.stringify(log);
  document.body.append(result);
});
</script>
"""


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium (Debian: apt-get install chromium)")
@pytest.mark.parametrize("with_truth", [True, False])
def test_toggles_player_and_filters_in_a_browser(tmp_path: Path, with_truth: bool) -> None:
    page = tmp_path / "page.html"
    write(page, with_truth=with_truth)
    page.write_text(page.read_text().replace("</body>", CLICKS + "</body>"))
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'user'}",
    ]
    dom = subprocess.run(
        [BROWSER, *options, "--virtual-time-budget=5000", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
    ).stdout
    found = re.search(r'<pre id="log">(.*?)</pre>', dom)
    assert found, dom[-2000:]
    log = json.loads(html.unescape(found[1]))
    expected = {
        "title": "clip <b>.mp4",
        "mask": True,
        "hole": False,
        "maskOff": False,
        "plain": False,
        "box": True,
        "seeked": [3, True, False],
        "scoreFilter": [True, False],
        "classFilter": [False, True],
        "thumb": 0,
        "timeline": 4,
        "playing": "Pause",
        "played": [5, "Play"],
        "requests": [],
    }
    if with_truth:
        expected["worst"] = [4, True]
    assert log == expected
