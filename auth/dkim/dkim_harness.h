#pragma once

#include "auth/dkim/dkim.h"
#include "auth/dns/dns_asks.h"
#include "auth/dns/dns_zone.h"
#include "base/arena.h"

struct dkim_harness;

/* Whatever reads along. */
struct dkim_harness_hooks {
	void (*begin)(struct dkim_harness *h, void *ctx);
	void (*field)(void *ctx, const struct field *field);
	void (*header_end)(void *ctx);
	void (*end)(void *ctx); /* before the memory goes */
};

/* For tests, fuzzers and benchmarks: one mail through a verifier, with answers from a zone. */
struct dkim_harness {
	struct dns_zone *zone; /* borrowed */
	struct dkim_limits limits;
	uint64_t now_unix_s;
	size_t portion; /* octets fed at once; 0: all */
	bool keys_last; /* answers come after the body */
	const struct dkim_harness_hooks *hooks;
	void *ctx;

	struct slab blocks;
	struct arena arena;
	struct dns_asks asks;
	struct crypto_queue *queue;
	struct dkim_verifier *verifier;
	uint8_t *header;
	uint64_t now_us;
};

#define DKIM_HARNESS_HEADER_MAX (1u << 20)

void dkim_harness_init(struct dkim_harness *h, struct dns_zone *zone);
/* Runs a whole message (CRLF line ends); the results are h->verifier's until the next run. */
void dkim_harness_run(struct dkim_harness *h, struct bytes message);
/* Lets go of what the last run holds; a fuzzer does so after each input, that its leaks are seen.
 */
void dkim_harness_end(struct dkim_harness *h);
void dkim_harness_fini(struct dkim_harness *h);

/* Answers what has been asked. */
void dkim_harness_answer(struct dkim_harness *h);
/* A file's octets with LF turned into CRLF (malloc), or {NULL, 0}. */
struct bytes dkim_harness_load(const char *path);
