/* The end of data, its dots and its line ends found in 20 KB of text, against a plain byte loop. */
#include "bench/micro.h"
#include "gateway/smtp/smtp_data.h"

#include <stdlib.h>
#include <string.h>

#define OCTETS 20480
#define ROUNDS 8

struct unstuff {
	uint8_t sent[OCTETS];
	uint8_t out[OCTETS];
	size_t len;
};

static void *setup(const struct micro *micro)
{
	static const char line[] =
		"The quick brown fox jumps over the lazy dog and runs away again.\r\n";
	struct unstuff *unstuff = malloc(sizeof(*unstuff));
	size_t n = 0;

	(void)micro;
	if (!unstuff)
		return NULL;
	for (size_t i = 0; n + sizeof(line) + 8 < OCTETS; i++) {
		size_t cut = i * 7 % 40;

		if (i % 64 == 63) {
			memcpy(unstuff->sent + n, "..\r\n", 4);
			n += 4;
		}
		memcpy(unstuff->sent + n, line + cut, sizeof(line) - 1 - cut);
		n += sizeof(line) - 1 - cut;
	}
	memcpy(unstuff->sent + n, ".\r\n", 3);
	unstuff->len = n + 3;
	return unstuff;
}

static uint64_t ours(void *state)
{
	struct unstuff *unstuff = state;

	for (int i = 0; i < ROUNDS; i++) {
		struct bytes input = bytes_of(unstuff->sent, unstuff->len), run;
		struct smtp_data data;
		size_t n = 0;

		smtp_data_init(&data);
		for (; smtp_data_feed(&data, &input, &run); n += run.len)
			memcpy(unstuff->out + n, run.data, run.len);
	}
	return ROUNDS * unstuff->len;
}

/* The same judgement octet by octet, each by what came before: nothing a compiler makes vectors of.
 */
static size_t plain(const uint8_t *in, size_t len, uint8_t *out)
{
	enum { START, LINE, CR, DOT, DOT_CR, END } state = START;
	size_t n = 0, flaws = 0;

	for (size_t i = 0; i < len && state != END; i++) {
		uint8_t c = in[i];

		if (state == START && c == '.') {
			state = DOT;
			continue;
		}
		if (state == DOT && c == '\r') {
			state = DOT_CR;
			continue;
		}
		if (state == DOT_CR && c == '\n') {
			state = END;
			continue;
		}
		if (state == DOT_CR)
			out[n++] = '\r';
		flaws += c == '\0' || (c == '\n' && state != CR) || (c != '\n' && state == CR);
		out[n++] = c;
		state = c == '\r' ? CR : c == '\n' && state == CR ? START : LINE;
	}
	return n + flaws;
}

static uint64_t reference(void *state)
{
	struct unstuff *unstuff = state;

	for (int i = 0; i < ROUNDS; i++) {
		size_t n = plain(unstuff->sent, unstuff->len, unstuff->out);

		__asm__ volatile("" : : "r"(n) : "memory");
	}
	return ROUNDS * unstuff->len;
}

const struct micro micro_unstuff = {"unstuff", "octets/s", setup, ours, reference, free};
