"""Run the servers that tests/peers unpacked."""

import os
import subprocess
import sys

from .proc import LabError

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PEERS = os.path.join(SOURCE, "tests", "peers")

# Account numbers that tests/peers writes into the private /etc/passwd.
VMAIL = 60903


def ensure():
    """Unpacks them unless that is done; what is printed goes to stderr."""
    if subprocess.run([PEERS], stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode:
        raise LabError("the peers for tests could not be unpacked (see above)",
                       "run tests/peers by hand; 'make deps' must have run before")


def argv(*command):
    """The command line that runs a command where the peers stand at their normal paths."""
    return [PEERS, "exec", *command]
