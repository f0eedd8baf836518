/* Replies whole and byte by byte give the same events, codes and commands. */
#include "base/bytes.h"
#include "bench/load/smtp_client.h"

#include <stdlib.h>

#define EVENTS_MAX 4096u

struct trace {
	uint32_t n;
	uint32_t events[EVENTS_MAX];
};

static char memory_buf[256];
static struct smtp_client_words words;

static void react(struct smtp_client *c, enum smtp_client_event event)
{
	smtp_client_sent(c, smtp_client_out(c).len);
	if (event == SMTP_CLIENT_EV_READY)
		smtp_client_mail(c, BYTES("x\r\n.\r\n"));
	else if (event == SMTP_CLIENT_EV_MAIL_DONE && smtp_client_result(c) % 2)
		smtp_client_noop(c);
	else if (event == SMTP_CLIENT_EV_MAIL_DONE)
		smtp_client_mail(c, BYTES("y\r\n.\r\n"));
	else if (event == SMTP_CLIENT_EV_NOOP_DONE)
		smtp_client_quit(c);
	smtp_client_sent(c, smtp_client_out(c).len);
}

static void run(struct bytes all, size_t step, struct trace *trace)
{
	struct smtp_client c;

	smtp_client_init(&c, &words);
	trace->n = 0;
	for (size_t at = 0; at < all.len; at += step) {
		struct bytes part = bytes_slice(all, at, step);
		enum smtp_client_event event;

		while ((event = smtp_client_input(&c, &part)) != SMTP_CLIENT_EV_INPUT) {
			if (trace->n == EVENTS_MAX)
				return;
			trace->events[trace->n++] = (uint32_t)event << 24 | smtp_client_code(&c);
			react(&c, event);
			if (smtp_client_state(&c) == SMTP_CLIENT_CLOSED)
				return;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct trace whole, dribbled;
	struct text memory;

	if (size == 0)
		return 0;
	text_init(&memory, memory_buf, sizeof(memory_buf));
	if (smtp_client_words_init(&words, "h", "a@b", "c@d", data[0] & 1, &memory) < 0)
		abort();
	run(bytes_of(data + 1, size - 1), SIZE_MAX / 2, &whole);
	run(bytes_of(data + 1, size - 1), 1, &dribbled);
	if (whole.n != dribbled.n ||
		memcmp(whole.events, dribbled.events, whole.n * sizeof(whole.events[0])) != 0)
		abort();
	return 0;
}
