#include "gateway/smtp/smtp_session.h"

#include <stdlib.h>

/*
 * The first octet says how the rest is cut into portions. The same input whole must give the same
 * replies and mails, and content never holds an end mark.
 */

#define OUT_MAX 65536

struct outcome {
	char replies[OUT_MAX], mails[OUT_MAX];
	struct text said, mail;
};

static const struct smtp_config config = {"mx.example", 4096, 5, 512, 50, 20, 4096};

static void act(struct smtp_session *s, enum smtp_event event, struct outcome *o)
{
	static const enum smtp_reply_id answers[] = {
		[SMTP_EVENT_MAIL] = SMTP_REPLY_SENDER_OK,
		[SMTP_EVENT_RCPT] = SMTP_REPLY_RECIPIENT_OK,
		[SMTP_EVENT_DATA] = SMTP_REPLY_DATA_GO,
		[SMTP_EVENT_CONTENT_END] = SMTP_REPLY_QUEUED,
	};

	if (event == SMTP_EVENT_CONTENT) {
		/* What is refused later was given out in portions that depend on the input's. */
		text_put(&o->mail, s->content);
	} else if (event == SMTP_EVENT_CONTENT_END) {
		text_putc(&o->mail, '}');
	}
	if (event == SMTP_EVENT_MAIL || event == SMTP_EVENT_RCPT || event == SMTP_EVENT_DATA ||
		event == SMTP_EVENT_CONTENT_END)
		smtp_session_answer(s, smtp_reply_get(answers[event]), NULL, 0, &o->said);
}

static void run(struct bytes input, size_t portion, struct outcome *o)
{
	struct smtp_session session;
	static struct slab lines, blocks;

	text_init(&o->said, o->replies, OUT_MAX);
	text_init(&o->mail, o->mails, OUT_MAX);
	if (!lines.base && (slab_init(&lines, 512, 1) || slab_init(&blocks, ARENA_BLOCK_SIZE, 16)))
		abort();
	smtp_session_init(&session, &config, &lines, &blocks);
	session.bare_policy = session.nul_policy = SMTP_EOL_KEEP;
	while (input.len > 0) {
		struct bytes part = bytes_slice(input, 0, portion);
		enum smtp_event event;

		input = bytes_from(input, part.len);
		while ((event = smtp_session_step(&session, &part, &o->said)) != SMTP_EVENT_INPUT) {
			if (event == SMTP_EVENT_OUTPUT)
				goto out;
			act(&session, event, o);
		}
	}
out:
	smtp_session_fini(&session);
	if (lines.in_use || blocks.in_use)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome *whole, *parts;

	if (size < 1 || size > 8192)
		return 0;
	whole = malloc(sizeof(*whole));
	parts = malloc(sizeof(*parts));
	run(bytes_of(data + 1, size - 1), SIZE_MAX, whole);
	run(bytes_of(data + 1, size - 1), (size_t)(data[0] % 32) + 1, parts);
	if (!bytes_eq(text_bytes(&whole->said), text_bytes(&parts->said)))
		abort();
	free(whole);
	free(parts);
	return 0;
}
