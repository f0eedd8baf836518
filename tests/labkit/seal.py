"""Run `postern arc seal` and `postern dkim sign` on a message."""

import os
import subprocess

from .gateway import build_dir
from .proc import LabError


def _postern(message, *args):
    done = subprocess.run([os.path.join(build_dir(), "postern"), *args, "-"], input=message,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    if done.returncode:
        raise LabError(f"postern {args[0]} exited {done.returncode}: "
                       f"{done.stderr.decode('utf-8', 'replace').strip()}", "run it by hand")
    return done.stdout


def _common(key, domain, selector, headers, now):
    args = ["--key", key, "--domain", domain, "--selector", selector]
    if headers:
        args += ["--headers", headers]
    if now is not None:
        args += ["--now", str(now)]
    return args


def seal(message, key, domain, selector, authserv_id, headers=None, now=None):
    return _postern(message, "arc", "seal", "--authserv-id", authserv_id,
                    *_common(key, domain, selector, headers, now))


def sign(message, key, domain, selector, headers=None, now=None, canon=None):
    return _postern(message, "dkim", "sign", *_common(key, domain, selector, headers, now),
                    *(("--canon", canon) if canon else ()))


def fields(section):
    """Fields by name in lower case, as text; the first of a name."""
    out = {}
    for line in section.decode().replace("\r\n\t", "\t").replace("\r\n ", " ").split("\r\n"):
        if line:
            name, value = line.split(":", 1)
            out.setdefault(name.lower(), value.strip())
    return out


def keygen(key, domain, selector, *options):
    """A new key in the file `key`; returns the line of its DNS record."""
    done = subprocess.run([os.path.join(build_dir(), "postern"), "dkim", "keygen", "--key", key,
                           "--domain", domain, "--selector", selector, *options],
                          stdout=subprocess.PIPE, timeout=60, check=True)
    return done.stdout.decode()
