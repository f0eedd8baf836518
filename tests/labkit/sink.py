"""A store that takes everything and keeps nothing: build/bench/lmtp-sink."""

import json
import os
import signal
import subprocess

from .gateway import build_dir
from .proc import LabError, tail, wait_until


class Sink:
    def __init__(self, directory):
        self.socket = f"{directory}/sink.sock"
        self.log = f"{directory}/sink.log"
        self.process = None

    def start(self):
        binary = os.path.join(build_dir(), "bench", "lmtp-sink")
        if not os.path.exists(binary):
            raise LabError(f"there is no {binary}", "build it first: make")
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([binary, f"unix:{self.socket}"], stdout=subprocess.PIPE,
                                            stderr=log, stdin=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(self.socket) or self.process.poll() is not None, 10,
                   "lmtp-sink listens")
        if self.process.poll() is not None:
            raise LabError(f"lmtp-sink does not start: {tail(self.log)}", "see above")

    def stop(self):
        """Ends it and returns what it has counted."""
        if self.process is None:
            return {}
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=10)
        self.process = None
        return json.loads(out)
