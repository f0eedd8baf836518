#include "auth/message/fields.h"

#include <assert.h>
#include <stdlib.h>

/* Whole and octet by octet give the same fields, which tile the section, and the same body. */

#define FIELDS_MAX 4096

struct outcome {
	enum fields_event last;
	size_t taken;
	unsigned n;
	struct {
		uint32_t from, len;
	} field[FIELDS_MAX];
};

static void run(
	struct outcome *o, struct bytes message, size_t portion, uint8_t *buffer, uint32_t capacity)
{
	struct fields fields;
	struct field field;
	bool finishing = false;

	fields_init(&fields, buffer, capacity);
	o->n = 0;
	o->taken = 0;
	do {
		struct bytes input = bytes_slice(message, o->taken, portion);
		size_t given = input.len;

		finishing = finishing || given == 0;
		o->last = finishing ? fields_finish(&fields, &field)
				    : fields_feed(&fields, &input, &field);
		o->taken += given - input.len;
		if (o->last == FIELDS_FIELD) {
			assert(o->n < FIELDS_MAX);
			assert(bytes_find_bytes(field.raw, BYTES("\r\n\r\n")) == BYTES_NPOS);
			o->field[o->n].from = (uint32_t)(field.raw.data - buffer);
			o->field[o->n++].len = (uint32_t)field.raw.len;
		}
	} while (o->last == FIELDS_MORE || o->last == FIELDS_FIELD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome whole, dribbled;
	uint32_t capacity, end = 0;
	uint8_t *buffer;

	if (size < 1 || size > FIELDS_MAX)
		return 0;
	capacity = 1 + data[0] * 16u;
	buffer = malloc(capacity);
	assert(buffer);
	run(&whole, bytes_of(data + 1, size - 1), SIZE_MAX, buffer, capacity);
	for (unsigned i = 0; i < whole.n; i++) {
		assert(whole.field[i].from == end);
		end += whole.field[i].len + 2;
	}
	run(&dribbled, bytes_of(data + 1, size - 1), 1, buffer, capacity);
	assert(whole.last == dribbled.last && whole.n == dribbled.n);
	assert(whole.last != FIELDS_END || whole.taken == dribbled.taken);
	assert(memcmp(whole.field, dribbled.field, whole.n * sizeof(whole.field[0])) == 0);
	free(buffer);
	return 0;
}
