"""tests/FUZZED.md, the account of all fuzzing, and the corpora in the tree."""

import datetime
import os
import re
import shutil
import subprocess
import tempfile

from . import builds

TABLE = os.path.join(builds.SOURCE, "tests", "FUZZED.md")
HEAD = "| fuzzer | CPU hours | executions | edges | features | files | findings | last run | commit |"
RULE = "|---|---:|---:|---:|---:|---:|---:|---|---|"
# What of a grown corpus goes into the tree.
FILES_MAX = 48
FILE_MAX = 4096
CORPUS_MAX = 48 * 1024
GROWN_NAME = re.compile(r"^[0-9a-f]{12}$")


def read():
    """name -> the row's cells after it; the text before and after the table."""
    with open(TABLE, encoding="utf-8") as f:
        before, _, rest = f.read().partition(HEAD + "\n" + RULE + "\n")
    rows = {}
    lines = rest.splitlines(keepends=True)
    while lines and lines[0].startswith("|"):
        name, *cells = [cell.strip() for cell in lines.pop(0).strip().strip("|").split("|")]
        rows[name] = cells
    return before, rows, "".join(lines)


def write(before, rows, after):
    with open(TABLE, "w", encoding="utf-8") as f:
        f.write(before + HEAD + "\n" + RULE + "\n")
        f.writelines(f"| {' | '.join([name, *cells])} |\n" for name, cells in sorted(rows.items()))
        f.write(after)


def spent_s(fuzzer, rows):
    return (float(rows[fuzzer.path][0]) * 3600 if fuzzer.path in rows else 0) + fuzzer.ledger()["cpu_s"]


def least_first(fuzzers):
    rows = read()[1]
    return sorted(fuzzers, key=lambda f: spent_s(f, rows))


def row(fuzzer, old, ledger, files):
    hours, runs, _, _, _, found, _, _ = old or ["0", "0", "", "", "", "0", "", ""]
    return [f"{float(hours) + ledger['cpu_s'] / 3600:.3f}", str(int(runs) + ledger["runs"]),
            str(ledger["edges"]), str(ledger["features"]), str(files), str(int(found) + len(ledger["found"])),
            datetime.date.today().isoformat(), ledger["commit"]]


def named(folder):
    """What people put there; the rest came from a campaign and may be replaced."""
    return [f for f in sorted(os.listdir(folder)) if not GROWN_NAME.match(f)] if os.path.isdir(folder) else []


def cover(fuzzer, folder):
    """Into `folder`, which holds the named seeds: of all others the smallest set that reaches each edge."""
    sources = [d for d in (fuzzer.corpus, fuzzer.grown) if os.path.isdir(d)]
    small = os.path.join(folder, "small")
    taken = os.path.join(folder, "taken")
    os.makedirs(small)
    os.makedirs(taken)
    for source in sources:
        for entry in os.scandir(source):
            if entry.stat().st_size <= FILE_MAX and entry.name not in named(fuzzer.corpus):
                shutil.copyfile(entry.path, os.path.join(small, entry.name))
    for name in named(fuzzer.corpus):
        shutil.copyfile(os.path.join(fuzzer.corpus, name), os.path.join(taken, name))
    subprocess.run([fuzzer.program, "-set_cover_merge=1", "-use_counters=0", taken, small],
                   env=fuzzer.build.env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return [os.path.join(taken, f) for f in os.listdir(taken) if f not in named(fuzzer.corpus)]


def write_corpus(fuzzer):
    """Returns the number of files now in the tree."""
    keep = named(fuzzer.corpus)
    with tempfile.TemporaryDirectory(prefix=f"postern-{fuzzer.name}-") as folder:
        chosen = sorted(cover(fuzzer, folder), key=os.path.getsize)
        os.makedirs(fuzzer.corpus, exist_ok=True)
        for name in set(os.listdir(fuzzer.corpus)) - set(keep):
            os.unlink(os.path.join(fuzzer.corpus, name))
        left = CORPUS_MAX - sum(os.path.getsize(os.path.join(fuzzer.corpus, f)) for f in keep)
        for path in chosen[:max(FILES_MAX - len(keep), 0)]:
            left -= os.path.getsize(path)
            if left < 0:
                break
            shutil.copyfile(path, os.path.join(fuzzer.corpus, os.path.basename(path)[:12]))
    return len(os.listdir(fuzzer.corpus))


def record(fuzzers):
    """Takes the ledgers of `fuzzers` into the table, and their corpora into the tree."""
    before, rows, after = read()
    for fuzzer in fuzzers:
        ledger = fuzzer.ledger()
        if ledger["cpu_s"] == 0:
            continue
        rows[fuzzer.path] = row(fuzzer, rows.get(fuzzer.path), ledger, write_corpus(fuzzer))
        write(before, rows, after)
        fuzzer.forget()
        print(f"recorded {fuzzer.path}", flush=True)
