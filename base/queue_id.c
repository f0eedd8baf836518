#include "base/queue_id.h"

#include <assert.h>
#include <errno.h>

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

_Static_assert(sizeof(digits) == 33, "base 32");

void queue_id_init(struct queue_id_gen *gen, uint32_t lcore)
{
	assert(lcore <= QUEUE_ID_LCORE_MAX);
	*gen = (struct queue_id_gen){.lcore = lcore};
}

void queue_id_prime(struct queue_id_gen *gen, uint64_t seen)
{
	if (queue_id_unix_us(seen) > gen->last_us)
		gen->last_us = queue_id_unix_us(seen);
}

uint64_t queue_id_next(struct queue_id_gen *gen, uint64_t unix_us)
{
	/* The clock may have stepped back, or two mails come in one microsecond. */
	gen->last_us = unix_us > gen->last_us ? unix_us : gen->last_us + 1;
	return gen->last_us << QUEUE_ID_LCORE_BITS | gen->lcore;
}

char *queue_id_format(uint64_t id, char out[QUEUE_ID_TEXT_SIZE])
{
	for (unsigned i = QUEUE_ID_TEXT_LEN; i-- > 0; id >>= 5)
		out[i] = digits[id & 31];
	out[QUEUE_ID_TEXT_LEN] = '\0';
	return out;
}

static int digit_value(int c)
{
	const char *at;

	c = ascii_upper(c);
	if (c == 'I' || c == 'L')
		return 1;
	if (c == 'O')
		return 0;
	at = c ? memchr(digits, c, 32) : NULL;
	return at ? (int)(at - digits) : -1;
}

int queue_id_parse(struct bytes text, uint64_t *id)
{
	uint64_t value = 0;

	if (text.len != QUEUE_ID_TEXT_LEN)
		return -EINVAL;
	for (size_t i = 0; i < text.len; i++) {
		int digit = digit_value(text.data[i]);

		/* 13 digits are 65 bits: the first is below 16. */
		if (digit < 0 || (i == 0 && digit > 15))
			return -EINVAL;
		value = value << 5 | (unsigned)digit;
	}
	*id = value;
	return 0;
}
