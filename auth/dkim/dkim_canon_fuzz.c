/* Vector code against plain code, whole against dribbled. */
#include "auth/dkim/dkim_canon.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_MAX (1u << 16)

struct out {
	size_t n;
	uint8_t data[OUT_MAX];
};

static void append(struct out *out, struct bytes piece)
{
	if (out->n + piece.len > OUT_MAX)
		abort();
	if (piece.len)
		memcpy(out->data + out->n, piece.data, piece.len);
	out->n += piece.len;
}

static void canonicalize(
	enum dkim_canon canon, struct bytes body, size_t portion, size_t capacity, struct out *out)
{
	struct dkim_canon_body state;
	uint8_t *scratch =
		malloc(capacity); /* of its own, so that ASan sees every octet too many */
	struct bytes piece;

	out->n = 0;
	dkim_canon_body_init(&state, canon);
	while (body.len) {
		struct bytes input = bytes_slice(body, 0, portion);
		body = bytes_from(body, input.len);
		while (dkim_canon_body_step(&state, &input, scratch, capacity, &piece))
			append(out, piece);
	}
	while (dkim_canon_body_end(&state, scratch, capacity, &piece))
		append(out, piece);
	free(scratch);
}

/* A few octets stand for longer runs, so that vectors fill. */
static struct bytes expand(const uint8_t *data, size_t size)
{
	static uint8_t body[OUT_MAX / 2];
	size_t n = 0;
	for (size_t i = 0; i < size && n + 70 < sizeof(body); i++) {
		size_t run = data[i] >= 0xc0 ? data[i] - 0xbfu : 1;
		memset(body + n, data[i] >= 0xc0 ? (data[i] & 1 ? ' ' : 'a') : data[i], run);
		n += run;
		if (data[i] == 0x80)
			memcpy(body + n - 1, "\r\n", 2), n++;
	}
	return bytes_of(body, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct out plain, out;
	if (size < 2)
		return 0;
	struct bytes body = expand(data + 2, size - 2);
	for (int canon = DKIM_SIMPLE; canon <= DKIM_RELAXED; canon++) {
		canonicalize(canon, body, 1, DKIM_CANON_SCRATCH_MIN, &plain);
		canonicalize(canon, body, 1 + data[0] * 3u, DKIM_CANON_SCRATCH_MIN + data[1] * 16u,
			&out);
		if (!bytes_eq(bytes_of(plain.data, plain.n), bytes_of(out.data, out.n)))
			abort();
		canonicalize(canon, body, SIZE_MAX, 4096, &out);
		if (!bytes_eq(bytes_of(plain.data, plain.n), bytes_of(out.data, out.n)))
			abort();
	}
	return 0;
}
