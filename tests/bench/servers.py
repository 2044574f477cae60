"""How an application is served: by the product's own command, or by another server or loop to compare with it."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from app.__main__ import server_command

SERVERS = ("granian", "uvicorn", "hypercorn")
LOOPS = ("uvloop", "asyncio")


@dataclass(frozen=True, slots=True)
class Serving:
    """A server, its event loop, and options as they are written behind its command."""

    workers: int
    server: str = "granian"
    loop: str = "uvloop"
    options: tuple[str, ...] = ()

    def command(self, target: str, port: int) -> list[str]:
        """The command that serves `target` ("package.module:name") on a port of this machine."""
        place = ("127.0.0.1", str(port))
        if self.server == "granian":
            words = server_command(target, host=place[0], port=port, workers=self.workers)
            words[words.index("--loop") + 1] = self.loop
        elif self.server == "uvicorn":
            words = [sys.executable, "-m", "uvicorn", target, "--host", place[0], "--port", place[1]]
            words += ["--workers", str(self.workers), "--loop", self.loop, "--log-level", "warning"]
            words += ["--no-access-log", "--no-proxy-headers", "--lifespan", "on"]
        else:
            words = [sys.executable, "-m", "hypercorn", target, "--bind", ":".join(place)]
            words += ["--workers", str(self.workers), "--worker-class", self.loop, "--log-level", "WARNING"]
        return [*words, *self.options]
