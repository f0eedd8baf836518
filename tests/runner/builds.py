"""The build folders. Each is configured once and then only built."""

import json
import os
import subprocess

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CPUS = os.cpu_count() or 2

# Sanitizers must fail a test, not just write about it.
SANITIZER_ENV = {
    "ASAN_OPTIONS": "halt_on_error=1:abort_on_error=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
    # libxdp keeps 80 bytes of a umem it created.
    "LSAN_OPTIONS": "suppressions=" + os.path.join(SOURCE, "tests", "runner", "lsan.supp")
                    + ":print_suppressions=0",
}


class Build:
    def __init__(self, folder, title, cc, options, env=None, patience=3):
        self.path = os.path.join(SOURCE, folder)
        self.folder = folder
        self.title = title
        self.cc = cc
        self.options = options
        self.env = {**os.environ, "CC": cc, **(env or {})}
        self.patience = patience  # multiplies the tests' time limits

    def configure(self):
        if os.path.exists(os.path.join(self.path, "build.ninja")):
            return
        subprocess.run(["meson", "setup", self.path, SOURCE, *self.options], check=True, env=self.env,
                       stdout=subprocess.DEVNULL)

    def make(self, *targets):
        """Builds everything, or only `targets`; raises with the end of the compiler's output."""
        self.configure()
        done = subprocess.run(["ninja", "-C", self.path, "-j", str(CPUS), *targets], env=self.env, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        if done.returncode != 0:
            print(done.stdout[-8000:], flush=True)
            raise RuntimeError(f"{self.folder} does not build")

    def targets(self):
        with open(os.path.join(self.path, "meson-info", "intro-targets.json"), encoding="utf-8") as f:
            return json.load(f)


def commit():
    """What the tree was checked out from."""
    done = subprocess.run(["git", "-C", SOURCE, "rev-parse", "--short", "HEAD"], check=False,
                          stdout=subprocess.PIPE, text=True)
    return done.stdout.strip() or "-"


RELEASE = Build("build", "gcc", "gcc", [])
# Instrumented for libFuzzer too, so that one build serves unit tests and fuzzers.
CLANG = Build("build/asan", "clang, address and undefined sanitizers", "clang",
              ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dfuzz=true",
               "-Dc_args=-fsanitize=fuzzer-no-link"], SANITIZER_ENV, 8)
GCC_ASAN = Build("build/gcc-asan", "gcc -O2, address and undefined sanitizers", "gcc",
                 ["-Db_sanitize=address,undefined"], SANITIZER_ENV, 8)
# For tests/soak: the few places where threads meet.
CLANG_TSAN = Build("build/tsan", "clang, thread sanitizer", "clang",
                   ["-Db_sanitize=thread", "-Db_lundef=false"], SANITIZER_ENV, 12)
