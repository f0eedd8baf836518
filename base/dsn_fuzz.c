#include "base/dsn.h"

#include <assert.h>
#include <stdlib.h>

/* What passes decodes to printable text that is no longer; what was parsed is written the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes value = bytes_of(data, size);
	char *buf = malloc(size + 64);
	uint8_t notify, again, ret;
	struct text t;

	text_init(&t, buf, size + 64);
	if (dsn_notify_parse(value, &notify)) {
		dsn_notify_put(&t, notify);
		assert(dsn_notify_parse(text_bytes(&t), &again) && again == notify);
	}
	if (dsn_ret_parse(value, &ret))
		assert(bytes_eq_nocase(value, bytes_str(dsn_ret_word(ret))));
	assert(!dsn_envid_valid(value) || dsn_xtext_valid(value));
	assert(!dsn_orcpt_valid(value) || bytes_find(value, ';') != BYTES_NPOS);
	text_reset(&t);
	dsn_xtext_decode(&t, value);
	assert(!t.overflow && t.len <= size);
	for (size_t i = 0; i < t.len; i++)
		assert(t.data[i] >= ' ' && t.data[i] < 0x7f);
	free(buf);
	return 0;
}
