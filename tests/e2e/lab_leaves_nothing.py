#!/usr/bin/python3
"""Labs stand side by side; down, and an up that failed, leave nothing behind. Needs no daemon."""

import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from labkit import lab, peers, tap  # noqa: E402

LAB = os.path.join(peers.SOURCE, "tests", "lab")


def call(*words, env=None):
    done = subprocess.run([LAB, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})},
                          check=False)
    values = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return done.returncode, values, done.stderr


def traces(ident):
    """What the machine still knows of a lab: namespaces, devices, processes."""
    found = [n for n in os.listdir("/run/netns") if ident in n] if os.path.isdir("/run/netns") \
        else []
    found += [d for d in os.listdir("/sys/class/net") if ident in d]
    return found


def processes(text):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if text.encode() in f.read():
                    found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def main():
    with tap.Tests("lab_leaves_nothing", limit_s=120) as t:
        parent = tempfile.mkdtemp(prefix="plab.", dir=lab.PARENT)
        os.chmod(parent, 0o755)
        states = {f"{parent}/{d}": d for d in ("tap", "af_packet")}
        try:
            idents = {}
            for state, device in states.items():
                code, values, err = call("up", "--state", state, "--device", device,
                                         "--no-gateway", "--dns", "forward")
                t.ok(code == 0, f"lab up --device {device}, beside the other", err)
                idents[state] = values["CLIENT_NETNS"].removeprefix("plab-")
                t.ok(traces(idents[state]), f"{device}: it is there")
            code, _, err = call("up", "--state", next(iter(states)), "--no-gateway")
            t.ok(code != 0 and "already" in err, "a second up over a running lab is refused", err)
            for state, device in states.items():
                code, values, err = call("exec", "--state", state, "sh", "-c",
                                         "echo ME=$CLIENT_IP; ip -br link | grep -q ^lo")
                t.ok(code == 0 and values.get("ME") == "10.25.0.1",
                     f"{device}: exec runs as the client and knows the lab's values", err)
                sleeper = subprocess.Popen([LAB, "exec", "--state", state, "sleep", "60"])
                code, _, err = call("down", "--state", state)
                t.ok(code == 0, f"{device}: lab down", err)
                t.ok(sleeper.wait(10) != 0, f"{device}: what ran in the namespace has ended")
                t.equal(traces(idents[state]), [], f"{device}: no namespace or device is left")
                t.equal(processes(state), [], f"{device}: no process is left")
                t.ok(not os.path.exists(state), f"{device}: no file is left")
            code, _, err = call("down", "--state", next(iter(states)))
            t.ok(code == 0, "down where nothing is up is no error", err)

            state = f"{parent}/failed"
            code, _, err = call("up", "--state", state, "--device", "af_packet",
                                env={"POSTERN_BUILD": "/nonexistent"})
            t.ok(code != 0 and "make" in err, "an up without a daemon fails and says what to do",
                 err)
            t.equal(processes(state), [], "it leaves no process")
            t.ok(not os.path.exists(state), "and no file")
        finally:
            for state in (*states, f"{parent}/failed"):
                call("down", "--state", state)
            shutil.rmtree(parent)


if __name__ == "__main__":
    main()
