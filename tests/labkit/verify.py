"""Run `postern verify --json` on one message, its DNS answered from a zone of our own."""

import json
import os
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

from .gateway import build_dir
from .proc import LabError

PLAIN = (b"From: a@author.invalid\r\nTo: b@rcpt.invalid\r\nSubject: x\r\n"
         b"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@author.invalid>\r\n\r\nx\r\n")


def escaped(octets, special=b'"\\'):
    """Octets as a master file spells them (RFC 1035 section 5.1)."""
    return "".join(chr(c) if 32 < c < 127 and c not in special or c == 32 and 32 not in special
                   else f"\\{c:03d}" for c in octets)


def owner(name):
    """A name, dots between its labels, as an absolute owner name."""
    return escaped(name.rstrip(".").encode("latin-1"), b'"\\ ;()@$') + "."


def txt(name, *strings):
    """A TXT line. Strings over 255 octets are split."""
    parts = [s[i:i + 255] for s in strings or (b"",) for i in range(0, max(len(s), 1), 255)]
    return f"{owner(name)} 300 IN TXT " + " ".join(f'"{escaped(p)}"' for p in parts) + "\n"


def verify(zone, message=PLAIN, ip="192.0.2.1", helo="client.invalid", mail_from="", options=()):
    """The JSON object it prints; LabError where it does not exit 0."""
    code, out, err = invoke(zone, message, ip, helo, mail_from, ("--json", *options))
    if code:
        raise LabError(f"postern verify exited {code}: {err.strip()}", "run it by hand")
    return json.loads(out)


def invoke(zone, message, ip, helo, mail_from, options=()):
    with tempfile.NamedTemporaryFile("w", prefix="zone.", encoding="latin-1") as f:
        f.write(zone)
        f.flush()
        done = subprocess.run([os.path.join(build_dir(), "postern"), "verify", *options,
                               "--ip", ip, "--helo", helo, "--mail-from", mail_from,
                               "--zone", f.name, "-"],
                              input=message, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=60, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace"), \
        done.stderr.decode("utf-8", "replace")


def each(function, cases):
    """function(case) for all cases, several at once, results in order."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(function, cases))


def sanitized(text):
    return re.sub(r"[^ -~]", "?", text)
