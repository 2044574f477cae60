#!/usr/bin/env python3
"""Draw, speak and encode the two films of the demo school, with captions and posters.

Run it only when a film changes; its output under app/demo/content/media is part of the repository.
It needs Chromium and, from Debian, `apt-get install ffmpeg festival festvox-us-slt-hts`.
The narration decides the timing: each sentence is spoken, measured, and becomes one caption and one scene.
"""

import base64
import json
import re
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FILMS = ROOT / "bin" / "films"
MEDIA = ROOT / "app" / "demo" / "content" / "media"
FONT = ROOT / "static" / "font" / "brygada-1918.woff2"

WIDTH, HEIGHT, FRAMES_A_SECOND = 960, 540, 12
PAUSE = 0.75  # between two sentences, in seconds
TAIL = 2.0
VOICE = "voice_cmu_us_slt_arctic_hts"
TEMPO = 0.9  # the voice reads faster than a teacher would

# (caption, what the voice is given where that differs)
NARRATION: dict[str, list[tuple[str, str | None]]] = {
    "four-numbers": [
        ("A bar is four numbers: the first trade, the highest, the lowest, and the last.", None),
        ("Let us watch one being made.", None),
        ("The hour opens at 100. Buyers are in a hurry, and the price is carried up.", None),
        (
            "At 102.40 nobody is left who wants to pay more. That is the high.",
            "At one hundred and two forty, nobody is left who wants to pay more. That is the high.",
        ),
        (
            "Now those who bought late become uneasy. It falls through the open, down to 98.50. That is the low.",
            "Now those who bought late become uneasy. It falls through the open, down to ninety eight fifty. That is the low.",
        ),
        (
            "Somebody has been waiting there. It climbs back, and closes at 101.20.",
            "Somebody has been waiting there. It climbs back, and closes at one hundred and one twenty.",
        ),
        ("Now I rub out the path. Four numbers remain.", None),
        (
            "The range is 3.90. That is what was argued over.",
            "The range is three ninety. That is what was argued over.",
        ),
        (
            "The body is 1.20. That is what was settled: less than a third.",
            "The body is one twenty. That is what was settled: less than a third.",
        ),
        (
            "Here is another hour: down first, then up, then back. It leaves the same bar, and different people are unhappy.",
            None,
        ),
        ("So do not ask what the bar is called. Ask who was made to pay for it.", None),
    ],
    "auction-clears": [
        ("Before the market opens, orders arrive, and nothing trades.", None),
        (
            "On the left are buyers, each with the highest price they would pay. On the right are sellers, each with the lowest.",
            None,
        ),
        (
            "Add the buyers up from the top. Whoever would pay 103 would also pay 101.",
            "Add the buyers up from the top. Whoever would pay one hundred and three, would also pay one hundred and one.",
        ),
        ("Add the sellers up from the bottom.", None),
        (
            "At each price, the smaller of the two can trade. At 100 it is 500. At 102 it is 500 again.",
            "At each price, the smaller of the two can trade. At one hundred, it is five hundred. At one hundred and two, it is five hundred again.",
        ),
        (
            "At 101, 900 would buy and 800 would sell. So 800 can trade, and that is the most.",
            "At one hundred and one, nine hundred would buy, and eight hundred would sell. So eight hundred can trade, and that is the most.",
        ),
        (
            "This is the opening price. Everybody pays it, even the buyer who offered 103.",
            "This is the opening price. Everybody pays it, even the buyer who offered one hundred and three.",
        ),
        (
            "A hundred shares are left over. They wait, and when the doors open they are first in the queue.",
            None,
        ),
        ("Nobody chose this price. It is only where the most people could be served.", None),
    ],
}
POSTER_AT = {"four-numbers": 6, "auction-clears": 7}  # the sentence whose last frame is the poster


def main() -> None:
    for film in sys.argv[1:] or NARRATION:
        with tempfile.TemporaryDirectory() as folder:
            make(film, Path(folder))


def make(film: str, folder: Path) -> None:
    """Write <film>.webm, <film>.vtt and <film>.webp."""
    starts, length = speak(film, folder)
    captions = [caption for caption, _ in NARRATION[film]]
    ends = [start - PAUSE for start in starts[1:]] + [length - TAIL]
    (MEDIA / f"{film}.vtt").write_text(captioned(captions, starts, ends), "utf-8")
    draw(film, folder, starts, length)
    size = (MEDIA / f"{film}.webm").stat().st_size
    print(f"{film}: {length:.1f} s, {size / 1000:.0f} kB")


def speak(film: str, folder: Path) -> tuple[list[float], float]:
    """One track with all sentences; when each begins, and the length of the whole, in seconds."""
    starts, now, parts = [], 0.6, [silence(0.6, folder / "lead.wav")]
    for index, (caption, spoken) in enumerate(NARRATION[film]):
        raw, said = folder / f"{index}-raw.wav", folder / f"{index}.wav"
        call("text2wave", "-eval", f"({VOICE})", "-o", str(raw), given=spoken or caption)
        trim = "silenceremove=start_periods=1:start_threshold=-50dB,areverse,silenceremove=start_periods=1:start_threshold=-50dB,areverse"
        call("ffmpeg", "-y", "-i", str(raw), "-af", f"{trim},atempo={TEMPO}", "-ar", "48000", str(said))
        pause = silence(PAUSE, folder / f"{index}-pause.wav")
        starts.append(round(now, 3))
        now += seconds(said) + seconds(pause)
        parts += [said, pause]
    parts.append(silence(TAIL - PAUSE, folder / "tail.wav"))
    (folder / "parts.txt").write_text("".join(f"file '{part}'\n" for part in parts), "utf-8")
    shape = "highpass=f=90,lowpass=f=9000,equalizer=f=3200:t=q:w=1:g=-2,loudnorm=I=-18:TP=-2"
    voice = folder / "voice.wav"
    call(
        "ffmpeg",
        "-y",
        "-f",
        "concat",
        "-safe",
        "0",
        "-i",
        str(folder / "parts.txt"),
        "-af",
        shape,
        "-ar",
        "48000",
        str(voice),
    )
    return starts, now + TAIL - PAUSE


def draw(film: str, folder: Path, starts: list[float], length: float) -> None:
    """Photograph the stage frame by frame and encode it together with the voice."""
    font = base64.b64encode(FONT.read_bytes()).decode()
    page_text = (
        "<!doctype html><style>@font-face{font-family:B;font-weight:400 700;src:url(data:font/woff2;base64,"
        f"{font})}}body{{margin:0}}text{{font-family:B,serif;font-variant-numeric:tabular-nums lining-nums}}</style>"
        f'<svg id="stage" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"></svg>'
    )
    target = MEDIA / f"{film}.webm"
    encode = [
        *("ffmpeg", "-y", "-loglevel", "error", "-f", "image2pipe", "-framerate", str(FRAMES_A_SECOND), "-i", "-"),
        *("-i", str(folder / "voice.wav"), "-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p", "-crf", "36", "-b:v", "0"),
        *("-g", "120", "-row-mt", "1", "-cpu-used", "2", "-c:a", "libopus", "-b:a", "32k", "-ac", "1"),
        *("-map_metadata", "-1", "-fflags", "+bitexact", "-t", f"{length:.3f}", str(target)),
    ]
    with sync_playwright() as playwright, subprocess.Popen(encode, stdin=subprocess.PIPE) as encoder:
        assert encoder.stdin is not None
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_content(page_text)
        page.add_script_tag(path=FILMS / "film.js")
        page.add_script_tag(path=FILMS / f"{film}.js")
        page.evaluate("document.fonts.load('20px B')")
        for frame in range(int(length * FRAMES_A_SECOND)):
            page.evaluate(f"show({frame / FRAMES_A_SECOND}, {json.dumps(starts)})")
            encoder.stdin.write(page.screenshot(type="png"))
        at = starts[POSTER_AT[film] + 1] - 0.2
        page.evaluate(f"show({at}, {json.dumps(starts)})")
        (folder / "poster.png").write_bytes(page.screenshot(type="png"))
        encoder.stdin.close()
        encoder.wait()
        browser.close()
    call(
        "ffmpeg",
        "-y",
        "-i",
        str(folder / "poster.png"),
        "-c:v",
        "libwebp",
        "-quality",
        "82",
        str(MEDIA / f"{film}.webp"),
    )


def captioned(captions: list[str], starts: list[float], ends: list[float]) -> str:
    """WebVTT, a cue a sentence, long ones in two lines."""
    cues = [
        f"{clock(start)} --> {clock(end)}\n{two_lines(caption)}\n"
        for caption, start, end in zip(captions, starts, ends, strict=True)
    ]
    return "WEBVTT\n\n" + "\n".join(cues)


def two_lines(caption: str) -> str:
    if len(caption) <= 48:
        return caption
    breaks = [match.start() for match in re.finditer(" ", caption)]
    middle = min(breaks, key=lambda at: abs(at - len(caption) / 2))
    return caption[:middle] + "\n" + caption[middle + 1 :]


def clock(at: float) -> str:
    return f"{int(at // 60):02d}:{at % 60:06.3f}"


def seconds(path: Path) -> float:
    with wave.open(str(path)) as sound:
        return sound.getnframes() / sound.getframerate()


def silence(long: float, path: Path) -> Path:
    call("ffmpeg", "-y", "-f", "lavfi", "-i", "anullsrc=r=48000:cl=mono", "-t", f"{long:.3f}", str(path))
    return path


def call(*command: str, given: str | None = None) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, input=given)


if __name__ == "__main__":
    main()
