"""What tests/run and tests/soak are made of.

    tally     counts cases, keeps the names of those that failed, prints the closing line
    builds    the build folders: compiler, sanitizers, how to configure and build them
    unit      `meson test` in a build folder, counted case by case
    fuzz      every *_fuzz program over its corpus, bounded in runs
    campaign  the same for a given CPU time; fuzz_table keeps the account in tests/FUZZED.md
    scripts   programs that print TAP: the data suites and the end-to-end tests
"""
