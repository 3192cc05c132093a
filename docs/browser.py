"""Chromium without a window, driven over a pipe by its DevTools protocol, with nothing but Python."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
]
KEYS = {"Tab": 9, "Enter": 13, " ": 32, "End": 35, "Home": 36}
KEYS |= {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Backspace": 8}


class Browser:
    """One page of a browser.

    Examples
    --------
    >>> with Browser() as browser:  # doctest: +SKIP
    ...     browser.open(Path("build/site/index.html"))
    ...     browser.run("document.title")
    'convkit'
    """

    def __init__(self) -> None:
        if CHROMIUM is None:
            raise FileNotFoundError("no chromium, chromium-browser or google-chrome on the path")
        self.faults: list[str] = []
        self._count = 0
        self._rest = b""
        self._loaded = False
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        heard, self._to = os.pipe()
        self._from, said = os.pipe()

        def placed() -> None:
            """Chromium listens on 3 and speaks on 4."""
            ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (heard, said)]
            for end, number in zip(ends, (3, 4), strict=True):
                os.dup2(end, number)

        self._process = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"],
            preexec_fn=placed,
            pass_fds=(3, 4),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(heard)
        os.close(said)
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._to)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._from)
        self._profile.cleanup()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """The protocol's answer to one command; what the console says meanwhile is kept in ``faults``."""
        self._count += 1
        command = {"id": self._count, "method": method, "params": params}
        if self._session:
            command["sessionId"] = self._session
        self._tell(command)
        while True:
            message = self._heard()
            if message.get("id") == self._count:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']['message']}")
                return message["result"]

    def open(self, page: Path | str) -> None:
        """Load a page, to its last picture."""
        url = page.resolve().as_uri() if isinstance(page, Path) else page
        for step in ("about:blank", url):
            self._loaded = False
            if error := self.call("Page.navigate", url=step).get("errorText"):
                raise FileNotFoundError(f"{step}: {error}")
            while not self._loaded:
                self._heard()

    def run(self, script: str) -> Any:
        """The value of an expression of JavaScript, or of the promise that it is."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(_words(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def look(self, width: int, dark: bool = False, height: int = 900) -> None:
        """Be a window of this size, in the light or in the dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def press(self, key: str, shift: bool = False) -> None:
        """Press and let go of a key, as a hand would: "Tab", "ArrowRight", " ", "7"."""
        code = KEYS.get(key) or ord(key.upper())
        event = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        text = "\r" if key == "Enter" else key if len(key) == 1 else ""
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def picture(self, path: Path, whole: bool = True) -> None:
        """Save what is seen, or the whole page, as PNG."""
        answer = self.call(
            "Page.captureScreenshot", captureBeyondViewport=whole, **(self._extent() if whole else {})
        )
        path.write_bytes(base64.b64decode(answer["data"]))

    def _extent(self) -> dict[str, Any]:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}

    def _tell(self, command: dict[str, Any]) -> None:
        left = json.dumps(command).encode() + b"\0"
        while left:
            left = left[os.write(self._to, left) :]

    def _heard(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._from, 1 << 20)
            if not more:
                raise RuntimeError("Chromium has ended")
            self._rest += more
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        params = message.get("params", {})
        if message.get("method") == "Page.loadEventFired":
            self._loaded = True
        elif message.get("method") == "Runtime.exceptionThrown":
            self.faults.append(_words(params["exceptionDetails"]))
        elif message.get("method") == "Runtime.consoleAPICalled" and params["type"] in (
            "error",
            "warning",
            "assert",
        ):
            self.faults.append(" ".join(str(a.get("value", a.get("description"))) for a in params["args"]))
        elif message.get("method") == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.faults.append(f"{params['entry']['text']} {params['entry'].get('url', '')}".strip())
        return message


def _words(details: dict[str, Any]) -> str:
    return str(details.get("exception", {}).get("description") or details["text"])
