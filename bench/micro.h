#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * One micro-benchmark: the same work done by our code and by its reference, in turns, in one run. A
 * new one is a file micro_NAME.c with its struct micro, declared here and listed in
 * postern_micro.c.
 */
struct micro {
	const char *name;
	const char *unit; /* what `ours` and `reference` count a second, e.g. "verifies/s" */
	/* What both need; NULL: it cannot run here (say why on stderr). */
	void *(*setup)(const struct micro *micro);
	/* About a millisecond of work; returns the units done. */
	uint64_t (*ours)(void *state);
	uint64_t (*reference)(void *state);
	void (*teardown)(void *state);
	unsigned size; /* the benchmark's own */
	bool wall;     /* time by the clock: it waits; else by the CPU time of the thread */
	/*
	 * CPU time that each side has used so far, where the work is not this thread's alone; NULL:
	 * it is.
	 */
	double (*ours_ns)(void *state);
	double (*reference_ns)(void *state);
	unsigned turn_ms; /* of each side; 0: 20 */
};

extern const struct micro micro_rsa_1024, micro_rsa_2048, micro_rsa_4096;
extern const struct micro micro_log_append;
extern const struct micro micro_tcp_rx, micro_tcp_conn;
extern const struct micro micro_sha256, micro_canon, micro_dkim_mail;
