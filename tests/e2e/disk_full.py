#!/usr/bin/python3
"""A disk that fills up: 452 while it is full, service again when there is space, and nothing lost.

The spool lies on a small file system of its own, in a mount namespace that ends with this program.
"""

import asyncio
import contextlib
import ctypes
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, load, proc, tap  # noqa: E402

DISK_MIB = 24
SIZE = 30000
CONNECTIONS = 4
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 1 << 14, 1 << 18


def private_mounts():
    """What is mounted from now on is seen by us and our children alone, and goes with us."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        raise OSError(ctypes.get_errno(), "a mount namespace")


@contextlib.contextmanager
def small_disk():
    """ext4 in a file where loop devices are to be had, else tmpfs."""
    with tempfile.TemporaryDirectory(prefix="pdisk.", dir=lab.PARENT) as parent:
        os.chmod(parent, 0o755)
        image, folder = f"{parent}/image", f"{parent}/disk"
        os.mkdir(folder)
        with open(image, "wb") as f:
            f.truncate(DISK_MIB << 20)
        kind = "ext4"
        try:
            proc.run("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", image)
            proc.run("mount", "-o", "loop", image, folder)
        except (proc.LabError, FileNotFoundError):
            kind = "tmpfs"
            proc.run("mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=755", "spool", folder)
        try:
            yield folder, kind
        finally:
            proc.run("umount", "--lazy", folder)


class Fill:
    """Something else that takes all the space there is."""

    def __init__(self, folder):
        self.path = f"{folder}/somebody-elses"

    def begin(self):
        with open(self.path, "wb", buffering=0) as f, contextlib.suppress(OSError):
            while f.write(bytes(65536)):
                pass

    def end(self):
        os.unlink(self.path)


async def send_until(here, mails, refused, enough):
    """Sends on all connections until enough(); what is refused goes to `refused`."""

    async def one():
        while not enough():
            try:
                await load.session(here, mails, 20)
            except load.Refused as error:
                refused.append(str(error))
                await asyncio.sleep(0.05)

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))


def until_full(here, mails):
    refused = []
    asyncio.run(send_until(here, mails, refused, lambda: len(refused) >= 3 * CONNECTIONS))
    return refused


def until_taken(here, mails, more):
    """Until that many more were accepted; the lab's time limit ends it otherwise."""
    refused, wanted = [], len(mails.accepted) + more
    asyncio.run(send_until(here, mails, refused, lambda: len(mails.accepted) >= wanted))
    return refused


def only_452(t, refused, what):
    t.ok(refused and all(text.startswith("452 4.3.1") for text in refused), what,
         f"refused with {sorted(set(refused))}")


def cases(t, here, folder, mails):
    fill = Fill(folder)
    here.dovecot.stop()
    until_taken(here, mails, 20)
    fill.begin()
    only_452(t, until_full(here, mails), "with the disk full every mail is refused with 452 4.3.1")
    here.gateway.process.kill()
    here.start_gateway()
    refused = until_full(here, mails)
    only_452(t, refused, "and still is after a kill -9 and a start on the full disk")
    fill.end()
    refused = until_taken(here, mails, 20)
    t.ok(all(text.startswith("452 ") for text in refused),
         "with space again mail is accepted, with no hand laid on", str(set(refused)))
    only_452(t, until_full(here, mails), "a disk full of undelivered mail refuses with 452 too")
    here.dovecot.start()
    here.gateway.tool("queue", "flush", "ALL", "-c", here.gateway.config)
    refused = until_taken(here, mails, 200)
    t.ok(all(text.startswith("452 ") for text in refused),
         "once it is delivered, its space takes new mail", str(set(refused)))
    proc.wait_until(lambda: not mails.compare(here.dovecot.messages("alice")).missing, 60,
                    "all that got 250 is in the mailbox", log=here.gateway.log)
    outcome = mails.compare(here.dovecot.messages("alice"))
    t.equal(outcome.missing, [], f"all {len(mails.accepted)} mails that got 250 are there")
    t.equal((outcome.changed, outcome.strangers), ([], 0), "each as sent, and nothing else")
    t.note(f"{outcome.duplicates} twice, {outcome.unacknowledged} whose 250 was never heard")


def main():
    private_mounts()
    with tap.Tests("disk_full", limit_s=300) as t, small_disk() as (folder, kind):
        t.note(f"{kind} of {DISK_MIB} MiB")
        settings = {
            "spool": {"path": f"{folder}/spool", "segment_size": "1M"},
            "limits": {"message_size": "64K"},
            "delivery": {"retry_min": "1s", "retry_max": "2s"},
        }
        os.mkdir(f"{folder}/spool", mode=0o700)
        with lab.temporary(settings) as here:
            cases(t, here, folder, load.Mails(1, SIZE))
            t.ok(here.gateway.stop(), "the daemon ends by itself")


if __name__ == "__main__":
    main()
