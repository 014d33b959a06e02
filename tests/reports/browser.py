"""A headless Chromium that is told over a pipe what to do (its DevTools protocol), to see pages as a reader does."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --remote-debugging-pipe"


@dataclass
class Seen:
    """What became of a page."""

    overflow: int
    """Pixels that its content needs beyond the width of the window."""
    pictures: int
    """Images that were decoded."""
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


class Browser:
    """One page at a time."""

    def __init__(self, profile):
        # Beyond 3 and 4, where the browser wants them.
        pipes = [fcntl.fcntl(end, fcntl.F_DUPFD, 20) for pair in (os.pipe(), os.pipe()) for end in pair]
        hear, tell, listen, speak = pipes
        command = f"exec {PROGRAM} {FLAGS} --user-data-dir={profile} about:blank 3<&{hear} 4>&{speak}"
        self.process = subprocess.Popen(["bash", "-c", command], pass_fds=(hear, speak), stderr=subprocess.DEVNULL)
        os.close(hear), os.close(speak)
        self.tell, self.answers = os.fdopen(tell, "wb"), os.fdopen(listen, "rb")
        self.count, self.events, self.session = 0, [], None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def look(self, path, width):
        """Open a file in a window so many pixels wide."""
        self.events.clear()
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.ask("Emulation.setDeviceMetricsOverride", **metrics)
        self.ask("Page.navigate", url=path.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())
        decoded = "Promise.all([...document.images].map(i => (i.loading = 'eager', i.decode()))).then(d => d.length)"
        pictures = self._value(decoded)
        needed, width = (self._value(f"document.documentElement.{name}Width") for name in ("scroll", "client"))
        spoken = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
        sent = [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        fetched = [url for url in sent if not url.startswith("data:")]
        return Seen(needed - width, pictures, [json.dumps(e) for e in self.events if e["method"] in spoken], fetched)

    def ask(self, method, **params):
        """The answer to a command; what happened meanwhile is kept."""
        self.count += 1
        session = {"sessionId": self.session} if self.session else {}
        self.tell.write(json.dumps({"id": self.count, "method": method, "params": params, **session}).encode() + b"\0")
        self.tell.flush()
        while True:
            message = self._read()
            if message.get("id") == self.count:
                assert "result" in message, message
                return message["result"]
            self.events.append(message)

    def close(self):
        """End it, and wait for that."""
        self.tell.close()
        self.answers.close()
        self.process.kill()
        self.process.wait()

    def _value(self, expression):
        answer = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"]["value"]

    def _read(self):
        message = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "the browser ended"
            message += byte
        return json.loads(message)
