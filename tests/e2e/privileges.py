#!/usr/bin/python3
"""The daemon gives up root once its devices and files are open, and works without it."""

import os
import pwd
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, senders, tap  # noqa: E402

USER = "nobody"


def status(pid, thread):
    with open(f"/proc/{pid}/task/{thread}/status", encoding="utf-8") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def hand_over(here):
    """The spool and what is read on the way belong to the user, as an installation has it."""
    uid = pwd.getpwnam(USER).pw_uid
    for path in (here.spool, here.state):
        shutil.chown(path, uid)


def main():
    with tap.Tests("privileges", limit_s=90) as t:
        with lab.temporary({"control": {"user": USER}}, start_gateway=False) as here:
            hand_over(here)
            here.start_gateway()
            pid = here.gateway.process.pid
            uid = str(pwd.getpwnam(USER).pw_uid)
            threads = [status(pid, thread) for thread in os.listdir(f"/proc/{pid}/task")]
            t.equal({s["Uid"] for s in threads}, {"\t".join([uid] * 4)},
                    f"every thread is {USER}")
            t.equal({s["CapEff"] for s in threads}, {"0" * 16}, "no thread has a capability")
            t.equal({s["CapPrm"] for s in threads}, {"0" * 16}, "nor could get one back")
            t.equal({s["NoNewPrivs"] for s in threads}, {"1"}, "nor by a program")
            with here.connect() as peer:
                peer.hello()
                reply = peer.mail("sender@plain.example", ["alice@lab.example"],
                                  senders.message("plain.example"))
            t.ok(reply.starts("250"), "mail is taken without root", str(reply))
            here.dovecot.wait_for(1, "alice")
            t.ok(True, "and delivered")
            t.ok(here.gateway.stop(), "and the daemon ends by itself")


if __name__ == "__main__":
    main()
