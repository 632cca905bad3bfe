"""A headless Chromium that a test drives by the DevTools protocol."""

import base64
import json
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

__all__ = ["Browser", "chromium"]

_TRIES = 600


def chromium() -> str | None:
    """Return where Chromium is; None if it is not installed."""
    return next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )


class Browser:
    """One page.

    Args:
        program: Chromium.
        profile: An empty folder.
        camera: Whether it has one, which shows a moving picture that is made up.
    """

    def __init__(self, program: str, profile: Path, *, camera: bool = False) -> None:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        options += ["--remote-debugging-port=0", f"--user-data-dir={profile}", "--window-size=1000,800"]
        options += ["--disable-background-networking", "--disable-component-update", "--no-proxy-server"]
        if camera:
            options += ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
        self._process = subprocess.Popen([program, *options, "about:blank"], stderr=subprocess.DEVNULL)
        self._open = ExitStack()
        self._session: str | None = None
        self._number = 0
        self.complaints: list[str] = []
        self._socket = self._connected(profile / "DevToolsActivePort")
        targets = self.do("Target.getTargets")["targetInfos"]
        target = next(each["targetId"] for each in targets if each["type"] == "page")
        self._session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "DOM", "Log"):
            self.do(f"{domain}.enable")

    def close(self) -> None:
        """End it."""
        self._open.close()
        self._process.terminate()
        self._process.wait()

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; what the page logs meanwhile as an error is kept in `complaints`."""
        self._number += 1
        call: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            call["sessionId"] = self._session
        self._socket.send(json.dumps(call))
        while True:
            said = json.loads(self._socket.recv(60))
            if said.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(str(said["params"]["exceptionDetails"]))
            elif said.get("method") == "Log.entryAdded":
                self.complaints.append(said["params"]["entry"]["text"])
            elif said.get("id") == self._number:
                assert "error" not in said, said
                return dict(said["result"])

    def ask(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript, awaited."""
        found = self.do("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, expression: str) -> Any:
        """Wait until an expression is true; return its value."""
        for _ in range(_TRIES):
            value = self.ask(expression)
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError(f"{expression} never was true; the page says: {self.ask('document.body.innerText')}")

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in an input."""
        root = self.do("DOM.getDocument")["root"]["nodeId"]
        node = self.do("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.do("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def press(self, key: str) -> None:
        """Press a key as a person would."""
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowRight": 39}
        text = {"Enter": "\r", " ": " "}.get(key)
        about = {"key": key, "windowsVirtualKeyCode": codes[key], "code": "Space" if key == " " else key}
        self.do("Input.dispatchKeyEvent", type="keyDown", **about, **({"text": text} if text else {}))
        self.do("Input.dispatchKeyEvent", type="keyUp", **about)

    def screenshot(self, path: Path) -> None:
        """Write what is seen as PNG."""
        path.write_bytes(base64.b64decode(self.do("Page.captureScreenshot")["data"]))

    def _connected(self, file: Path) -> ClientConnection:
        for _ in range(_TRIES):
            if file.is_file() and len(lines := file.read_text().splitlines()) == 2:
                url = f"ws://127.0.0.1:{lines[0]}{lines[1]}"
                return self._open.enter_context(connect(url, proxy=None, max_size=None))
            time.sleep(0.05)
        raise AssertionError("Chromium did not start")
