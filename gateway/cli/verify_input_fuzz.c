/* A file whole and octet by octet gives the same content, which holds no LF without its CR. */
#include "gateway/cli/verify_input.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static size_t feed_all(
	struct verify_input *input, const uint8_t *data, size_t size, size_t portion, uint8_t *out)
{
	size_t n = 0;

	for (size_t at = 0; at < size; at += portion)
		n += verify_input_feed(
			input, bytes_slice(bytes_of(data, size), at, portion), out + n);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *whole = malloc(2 * size + 1), *dribbled = malloc(2 * size + 1);

	require(whole && dribbled);
	for (int convert = 0; convert < 2; convert++) {
		struct verify_input a = {.convert = convert}, b = a;
		size_t n = feed_all(&a, data, size, size + 1, whole);

		require(n == feed_all(&b, data, size, 1, dribbled));
		require(memcmp(whole, dribbled, n) == 0 && a.bare_lf_at == b.bare_lf_at);
		require(a.octet == size && (!convert || a.bare_lf_at == 0));
		for (size_t i = 0; convert && i < n; i++)
			require(whole[i] != '\n' || (i > 0 && whole[i - 1] == '\r'));
	}
	free(whole);
	free(dribbled);
	return 0;
}
