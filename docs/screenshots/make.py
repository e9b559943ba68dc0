#!/usr/bin/env python3
"""Take README's screenshots anew from a running demo, with Debian's Chromium.

Start ``manage.py demo``, then run ``.venv/bin/python docs/screenshots/make.py``. Exit code 1: a
picture became larger than 150 kB, or a page could not be opened.
"""

from __future__ import annotations

import argparse
import base64
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HERE = Path(__file__).parent
BYTES_MAX = 150_000
DESK, TALL, PHONE = (1280, 900), (1280, 1240), (390, 844)
COMPANY, VENDOR = "tomas@northwind.example", "vera@tallystick.example"
PASSWORD = "tallystick-demo"
# Name, who looks, at which address (the first row of a list where it ends in *), theme, size.
PICTURES = (
    ("credits-light", COMPANY, "/admin/credits/", "light", TALL),
    ("credits-dark", COMPANY, "/admin/credits/", "dark", TALL),
    ("credits-by-team-light", COMPANY, "/admin/credits/?step=week&by=team#use", "light", DESK),
    ("results-light", COMPANY, "/admin/trackers/scan/?verdict__exact=YES", "light", DESK),
    (
        "conversation-dark",
        COMPANY,
        "/admin/trackers/conversation/?kind__exact=CALL&q=contract*",
        "dark",
        DESK,
    ),
    ("trackers-dark", COMPANY, "/admin/trackers/tracker/", "dark", DESK),
    ("ledger-light", COMPANY, "/admin/credits/ledgerentry/", "light", DESK),
    ("purchases-light", VENDOR, "/admin/billing/purchase/", "light", DESK),
    ("credits-phone-dark", COMPANY, "/admin/credits/", "dark", PHONE),
)
PIXELS = """async (png) => {
  const picture = await createImageBitmap(
    new Blob([Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0))]));
  const canvas = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
  canvas.drawImage(picture, 0, 0);
  const {data, width, height} = canvas.getImageData(0, 0, picture.width, picture.height);
  let text = "";
  for (let at = 0; at < data.length; at += 32768)
    text += String.fromCharCode(...data.subarray(at, at + 32768));
  return {data: btoa(text), width, height};
}"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--address", default="http://127.0.0.1:8000")
    parser.add_argument("--folder", type=Path, default=HERE)
    options = parser.parse_args()
    too_large = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name, person, address, theme, size in PICTURES:
            path = options.folder / f"{name}.png"
            page = _signed_in(browser, options.address, person, theme, size)
            _open(page, options.address, address)
            path.write_bytes(_small(page, page.screenshot()))
            page.context.close()
            sys.stdout.write(f"{path.name}: {path.stat().st_size:,} bytes\n")
            if path.stat().st_size > BYTES_MAX:
                too_large.append(path.name)
        browser.close()
    if too_large:
        sys.stderr.write(f"Larger than {BYTES_MAX:,} bytes: {', '.join(too_large)}.\n")
    return 1 if too_large else 0


def _signed_in(browser: Browser, base: str, person: str, theme: str, size: tuple[int, int]) -> Page:
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(f"{base}/admin/login/")
    page.get_by_label("E-mail address").fill(person)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", level=1).wait_for()
    return page


def _open(page: Page, base: str, address: str) -> None:
    answer = page.goto(f"{base}{address.removesuffix('*')}")
    if answer is not None and not answer.ok:
        raise SystemExit(f"{address} answered {answer.status}.")
    if address.endswith("*"):
        page.locator("#result_list tbody tr a").first.click()
    page.wait_for_load_state("networkidle")


def _small(page: Page, png: bytes) -> bytes:
    """Return the picture with its 256 most frequent colors: a third of what Chromium writes."""
    drawn = page.evaluate(PIXELS, base64.b64encode(png).decode())
    shape = (drawn["height"], drawn["width"], 4)
    pixels = np.frombuffer(base64.b64decode(drawn["data"]), np.uint8).reshape(shape)[:, :, :3]
    colors, places, counts = np.unique(
        pixels.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True
    )
    palette = colors[np.argsort(-counts)[:256]]
    apart = colors[:, None, :].astype(int) - palette[None, :, :].astype(int)
    nearest = (apart**2).sum(axis=2).argmin(axis=1).astype(np.uint8)
    rows = nearest[places.ravel()].reshape(shape[:2])
    # Each row is preceded by its filter: none, which packs flat areas best.
    lines = np.hstack([np.zeros((shape[0], 1), np.uint8), rows]).tobytes()
    header = struct.pack(">IIBBBBB", shape[1], shape[0], 8, 3, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(name, content)
        for name, content in (
            (b"IHDR", header),
            (b"PLTE", palette.tobytes()),
            (b"IDAT", zlib.compress(lines, 9)),
            (b"IEND", b""),
        )
    )


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


if __name__ == "__main__":
    sys.exit(main())
