#!/usr/bin/python3
"""packaging/deps refuses a package that would bring a mail server; the real list brings none."""

import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import peers, tap  # noqa: E402

DEPS = os.path.join(peers.SOURCE, "packaging", "deps")


def dry_run(script):
    done = subprocess.run([script, "--dry-run"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def with_list(text):
    with tempfile.TemporaryDirectory() as folder:
        script = shutil.copy(DEPS, folder)
        with open(f"{folder}/deps.txt", "w", encoding="utf-8") as f:
            f.write(text)
        return dry_run(script)


def main():
    if not shutil.which("apt-cache") or not subprocess.run(
            ["apt-cache", "show", "postfix", "exim4-daemon-light"], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, check=False).returncode == 0:
        tap.skip_all("apt has no package lists here")
    with tap.Tests("deps_brings_no_mail_server", limit_s=120) as t:
        code, out = dry_run(DEPS)
        t.ok(code == 0, "the list of this tree is fine", out)
        t.ok(out.startswith("deps: Debian packages needed"), "the list is printed first", out)
        for package in ("postfix", "exim4-daemon-light"):
            installed = subprocess.run(["dpkg-query", "-W", package], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, check=False).returncode == 0
            if installed:
                t.skip(f"{package} is refused", "it is installed here")
                continue
            code, out = with_list(f"# a group\n{package}  # a remark\n")
            t.ok(code != 0 and "mail-transport-agent" in out, f"{package} is refused", out)


if __name__ == "__main__":
    main()
