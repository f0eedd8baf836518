/* Relaxed canonicalization of a body of text lines, against the plain byte loop that defines it. */
#include "auth/crypto/crypto.h"
#include "auth/dkim/dkim_canon.h"
#include "bench/micro.h"

#include <stdlib.h>

#define OCTETS 20480
#define ROUNDS 8

struct canon {
	uint8_t body[OCTETS];
	uint8_t out[HASH_SCRATCH];
};

static void *setup(const struct micro *micro)
{
	static const char line[] =
		"The quick brown  fox jumps over the lazy dog and runs away \t again. ";
	struct canon *canon = malloc(sizeof(*canon));
	size_t n = 0;
	(void)micro;
	for (size_t i = 0; canon && n + sizeof(line) + 2 < OCTETS; i++) {
		size_t len = sizeof(line) - 1 - i * 7 % 40;
		memcpy(canon->body + n, line, len);
		memcpy(canon->body + n + len, "\r\n", 2);
		n += len + 2;
	}
	if (canon)
		memset(canon->body + n, 'x', OCTETS - n);
	return canon;
}

static uint64_t run(struct canon *canon,
	size_t (*relaxed)(struct dkim_canon_body *, struct bytes *, uint8_t *, size_t))
{
	for (int i = 0; i < ROUNDS; i++) {
		struct dkim_canon_body state;
		struct bytes input = bytes_of(canon->body, OCTETS);
		dkim_canon_body_init(&state, DKIM_RELAXED);
		while (input.len)
			relaxed(&state, &input, canon->out, sizeof(canon->out));
	}
	return ROUNDS * OCTETS;
}

static uint64_t ours(void *state)
{
	return run(state, dkim_canon_relaxed);
}

static uint64_t reference(void *state)
{
	return run(state, dkim_canon_relaxed_plain);
}

const struct micro micro_canon = {"canon", "octets/s", setup, ours, reference, free};
