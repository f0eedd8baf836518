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
	unsigned size, fill; /* the benchmark's own, as `path` */
	const char *path;
	bool wall; /* time by the clock: it waits; else by the CPU time of the thread */
	/*
	 * CPU time that each side has used so far, where the work is not this thread's alone; NULL:
	 * it is.
	 */
	double (*ours_ns)(void *state);
	double (*reference_ns)(void *state);
	unsigned turn_ms; /* of each side; 0: 20 */
};

/* X(identifier, bits, name, path as in crypto.h or NULL for the best, signatures that meet). */
#define MICRO_RSA_SIZE(X, bits)                                                                    \
	X(bits, bits, "rsa-" #bits, NULL, 8)                                                       \
	X(bits##_4, bits, "rsa-" #bits "-4", NULL, 4)                                              \
	X(bits##_2, bits, "rsa-" #bits "-2", NULL, 2)                                              \
	X(bits##_1, bits, "rsa-" #bits "-1", NULL, 1)                                              \
	X(bits##_avx2, bits, "rsa-" #bits "-avx2", "avx2", 4)                                      \
	X(bits##_avx2_2, bits, "rsa-" #bits "-avx2-2", "avx2", 2)                                  \
	X(bits##_avx2_1, bits, "rsa-" #bits "-avx2-1", "avx2", 1)

#define MICRO_RSA(X) MICRO_RSA_SIZE(X, 1024) MICRO_RSA_SIZE(X, 2048) MICRO_RSA_SIZE(X, 4096)

#define MICRO_RSA_DECLARE(id, ...) extern const struct micro micro_rsa_##id;
MICRO_RSA(MICRO_RSA_DECLARE)
extern const struct micro micro_log_append;
extern const struct micro micro_tcp_rx, micro_tcp_conn;
extern const struct micro micro_sha256, micro_canon, micro_unstuff, micro_dkim_mail;
