/*
 * Content against the rule written plainly: only CRLF.CRLF ends it (or .CRLF at its very start), a
 * dot at a line's start is taken out, and every bare CR, LF and NUL is seen. In any portions.
 */
#include "gateway/smtp/smtp_data.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE_MOST 65536

struct outcome {
	bool ended;
	size_t taken, len;
	unsigned flaws;
	uint8_t octets[SIZE_MOST];
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* What one octet of content and its neighbours amount to. */
static unsigned flaws_at(struct bytes in, size_t i)
{
	if (in.data[i] == '\0')
		return SMTP_DATA_NUL;
	if (in.data[i] == '\r' && i + 1 < in.len && in.data[i + 1] != '\n')
		return SMTP_DATA_BARE_CR;
	if (in.data[i] == '\n' && (i == 0 || in.data[i - 1] != '\r'))
		return SMTP_DATA_BARE_LF;
	return in.data[i] > 127 ? SMTP_DATA_8BIT : 0;
}

static void by_the_rule(struct bytes in, struct outcome *o)
{
	*o = (struct outcome){0};
	for (size_t i = 0; i < in.len; i++) {
		bool start = i == 0 || (i >= 2 && in.data[i - 1] == '\n' && in.data[i - 2] == '\r');

		if (start && bytes_starts(bytes_from(in, i), BYTES(".\r\n"))) {
			o->ended = true;
			o->taken = i + 3;
			return;
		}
		o->flaws |= flaws_at(in, i);
		if (!start || in.data[i] != '.')
			o->octets[o->len++] = in.data[i];
	}
	o->taken = in.len;
}

static void by_portions(struct bytes in, size_t first, size_t others, struct outcome *o)
{
	struct smtp_data state;
	struct bytes run;

	*o = (struct outcome){0};
	smtp_data_init(&state);
	for (size_t portion = first; o->taken < in.len && !smtp_data_ended(&state);
		portion = others) {
		struct bytes part = bytes_slice(in, o->taken, portion);
		size_t given = part.len;

		while (smtp_data_feed(&state, &part, &run)) {
			require(o->len + run.len <= SIZE_MOST);
			memcpy(o->octets + o->len, run.data, run.len);
			o->len += run.len;
		}
		require(part.len == 0 || smtp_data_ended(&state));
		o->taken += given - part.len;
	}
	require(state.octets == o->len);
	o->ended = smtp_data_ended(&state);
	o->flaws = state.flaws & ~(unsigned)SMTP_DATA_IN_HEADER;
}

static void compare(const struct outcome *rule, const struct outcome *o)
{
	require(rule->ended == o->ended && rule->taken == o->taken);
	/* Of what has not ended, the last octets may be held back. */
	require(o->len <= rule->len && rule->len - o->len <= (rule->ended ? 0 : 2));
	require(memcmp(rule->octets, o->octets, o->len) == 0);
	require((o->flaws & ~rule->flaws) == 0 && (!rule->ended || o->flaws == rule->flaws));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome rule, o;
	struct bytes in;

	if (size < 3 || size > SIZE_MOST)
		return 0;
	in = bytes_of(data + 2, size - 2);
	by_the_rule(in, &rule);
	by_portions(in, SIZE_MAX, 1, &o);
	compare(&rule, &o);
	by_portions(in, 1, 1, &o);
	compare(&rule, &o);
	by_portions(in, data[0] + 1u, data[1] + 1u, &o);
	compare(&rule, &o);
	return 0;
}
