#include "auth/trace_format.h"
#include "base/ip_addr.h"

#include <stdlib.h>

/*
 * Records of traces, as `postern trace`, `postern replay` and the JSON log read them from the
 * spool: whatever stands there is read to its end, told in clean lines and in JSON of one line, and
 * what was read can be written again and reads the same.
 */

#define RECORD_MAX 4096
#define WORDS_MAX  (64 * RECORD_MAX)

static char words[WORDS_MAX];

static void check(bool truth)
{
	if (!truth)
		abort();
}

static void check_clean(const struct text *out, bool lines)
{
	for (size_t i = 0; i < out->len; i++) {
		uint8_t c = (uint8_t)out->data[i];
		check(c >= ' ' || (lines && c == '\n'));
		check(!lines || c < 0x7f);
	}
}

static void tell(struct bytes record)
{
	struct text out;

	text_init(&out, words, sizeof(words));
	trace_format_text(record, &out);
	check_clean(&out, true);
	text_reset(&out);
	trace_format_json(record, &out);
	check_clean(&out, false);
	if (!out.overflow)
		check(out.len >= 2 && out.data[0] == '[' && out.data[out.len - 1] == ']');
}

static size_t rewrite(struct bytes record, uint8_t *copy)
{
	struct trace_event_view event;
	struct trace_writer w;
	struct cursor events;

	trace_begin(&w, copy, RECORD_MAX + RECORD_MAX / 2);
	if (!trace_open(record, &events))
		return 0;
	while (trace_next(&events, &event)) {
		struct bytes fields = cursor_rest(&event.fields);
		trace_event(&w, event.kind, event.at_us);
		for (size_t i = 0; i < fields.len && w.len < w.cap; i++)
			w.data[w.len++] = fields.data[i];
		check(trace_end_event(&w));
	}
	return trace_record(&w).len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t once[2 * RECORD_MAX], twice[2 * RECORD_MAX];

	if (size > RECORD_MAX)
		return 0;
	tell(bytes_of(data, size));
	size_t n = rewrite(bytes_of(data, size), once);
	if (n > 0)
		check(rewrite(bytes_of(once, n), twice) == n && memcmp(once, twice, n) == 0);
	return 0;
}
