#include "base/testing.h"
#include "bench/load/smtp_client.h"

#include <errno.h>

/*
 * A case is a dialogue: what the server says, and what has happened and was said by then. Each is
 * run with the server's octets whole and byte by byte; both must tell the same.
 */

#define CONTENT "Subject: x\r\n\r\nbody\r\n.\r\n"

static const char *const event_names[] = {
	[SMTP_CLIENT_EV_REPLY] = "reply",
	[SMTP_CLIENT_EV_READY] = "ready",
	[SMTP_CLIENT_EV_MAIL_DONE] = "done",
	[SMTP_CLIENT_EV_NOOP_DONE] = "noop",
	[SMTP_CLIENT_EV_REFUSED] = "refused",
	[SMTP_CLIENT_EV_BYE] = "bye",
	[SMTP_CLIENT_EV_BROKEN] = "broken",
};

struct dialogue {
	const char *name;
	bool pipelining;
	const char
		*server; /* all that the server says; a '|' stands between what it says at once */
	const char *expected; /* events with their codes, and between them what the client said */
};

static const struct dialogue dialogues[] = {
	{"one mail, step by step", false,
		"220 mx ESMTP\r\n|250 mx\r\n|250 ok\r\n|250 ok\r\n|354 go\r\n|250 2.0.0 queued\r\n|"
		"221 bye\r\n",
		"reply220 EHLO h\n;ready250 MAIL FROM:<a@b>\n;reply250 RCPT TO:<c@d>\n;reply250 "
		"DATA\n;"
		"reply354 *;done250=250 QUIT\n;bye221 "},
	{"multi-line replies", false,
		"220-mx\r\n220 ESMTP\r\n|250-mx\r\n250-SIZE 9\r\n250 HELP\r\n",
		"reply220 EHLO h\n;ready250 MAIL FROM:<a@b>\n;"},
	{"pipelining where it is announced", true,
		"220 mx\r\n|250-mx\r\n250-PipeLining\r\n250 SIZE\r\n|250 ok\r\n250 ok\r\n354 "
		"go\r\n|"
		"250 queued\r\n",
		"reply220 EHLO h\n;ready250 MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n;reply250 "
		";reply250 ;"
		"reply354 *;done250=250 QUIT\n;"},
	{"no pipelining where it is not announced", true, "220 mx\r\n|250 mx\r\n|",
		"reply220 EHLO h\n;ready250 MAIL FROM:<a@b>\n;"},
	{"the connection is refused", true, "554 5.7.1 no\r\n", "refused554 "},
	{"421 at the greeting", true, "421 later\r\n", "refused421 "},
	{"EHLO is refused", true, "220 mx\r\n|550 no\r\n", "reply220 EHLO h\n;refused550 "},
	{"MAIL is refused, step by step", false, "220 mx\r\n|250 mx\r\n|451 wait\r\n",
		"reply220 EHLO h\n;ready250 MAIL FROM:<a@b>\n;done451=451 QUIT\n;"},
	{"RCPT is refused, step by step", false,
		"220 mx\r\n|250 mx\r\n|250 ok\r\n|550 no such\r\n|250 reset\r\n",
		"reply220 EHLO h\n;ready250 MAIL FROM:<a@b>\n;reply250 RCPT TO:<c@d>\n;reply550 "
		"RSET\n;"
		"done250=550 QUIT\n;"},
	{"RCPT is refused, pipelined", true,
		"220 mx\r\n|250-mx\r\n250 PIPELINING\r\n|250 ok\r\n550 no\r\n503 no rcpt\r\n|250 "
		"ok\r\n",
		"reply220 EHLO h\n;ready250 MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n;reply250 "
		";reply550 ;"
		"reply503 RSET\n;done250=550 QUIT\n;"},
	{"MAIL is refused, pipelined", true,
		"220 mx\r\n|250-mx\r\n250 PIPELINING\r\n|452 full\r\n503 no\r\n503 no\r\n",
		"reply220 EHLO h\n;ready250 MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n;reply452 "
		";reply503 ;"
		"done503=452 QUIT\n;"},
	{"354 without a recipient gets an empty mail", true,
		"220 mx\r\n|250-mx\r\n250 PIPELINING\r\n|250 ok\r\n550 no\r\n354 go\r\n|554 "
		"none\r\n",
		"reply220 EHLO h\n;ready250 MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n;reply250 "
		";reply550 ;"
		"reply354 .\n;done554=550 QUIT\n;"},
	{"the mail is refused at its end", false,
		"220 mx\r\n|250 mx\r\n|250 ok\r\n|250 ok\r\n|354 go\r\n|550 5.7.1 DMARC\r\n",
		"reply220 EHLO h\n;ready250 MAIL FROM:<a@b>\n;reply250 RCPT TO:<c@d>\n;reply250 "
		"DATA\n;"
		"reply354 *;done550=550 QUIT\n;"},
	{"421 to a mail just begun", false, "220 mx\r\n|250 mx\r\n421 shutting down\r\n",
		"reply220 EHLO h\n;ready250 MAIL FROM:<a@b>\n;bye421=421 "},
	{"421 in a mail decides it", false, "220 mx\r\n|250 mx\r\n|250 ok\r\n|421 bye\r\n",
		"reply220 EHLO h\n;ready250 MAIL FROM:<a@b>\n;reply250 RCPT "
		"TO:<c@d>\n;bye421=421 "},
	{"only a line feed at a line's end", false, "220 mx\n|250 mx\n",
		"reply220 EHLO h\n;ready250 MAIL FROM:<a@b>\n;"},
	{"a reply of three digits alone", false, "220\r\n|250\r\n",
		"reply220 EHLO h\n;ready250 MAIL FROM:<a@b>\n;"},
	{"an HTTP server", false, "HTTP/1.1 400 Bad Request\r\n", "broken "},
	{"an empty line", false, "\r\n", "broken "},
	{"a code out of range", false, "199 x\r\n", "broken "},
	{"another code on the second line", false, "220-mx\r\n250 x\r\n", "broken "},
	{"no blank behind the code", false, "2200 x\r\n", "broken "},
	{"nothing is heard after the end", false,
		"220 mx\r\n|250 mx\r\n|250 a\r\n|250 b\r\n|354 c\r\n|250 d\r\n|"
		"221 e\r\n250 f\r\n",
		"reply220 EHLO h\n;ready250 MAIL FROM:<a@b>\n;reply250 RCPT TO:<c@d>\n;reply250 "
		"DATA\n;"
		"reply354 *;done250=250 QUIT\n;bye221 "},
};

struct talk {
	struct smtp_client client;
	struct smtp_client_words words;
	char memory_buf[256], log_buf[4096];
	struct text memory, log;
	bool over;
};

/* All that the client wants to say; the content as a star. */
static void listen_to(struct talk *t)
{
	struct bytes out = smtp_client_out(&t->client);

	if (out.len == 0)
		return;
	if (bytes_eq(out, BYTES(CONTENT)))
		text_putc(&t->log, '*');
	else
		for (size_t i = 0; i < out.len; i++)
			if (out.data[i] != '\r')
				text_putc(&t->log, (char)out.data[i]);
	text_putc(&t->log, ';');
	smtp_client_sent(&t->client, out.len);
}

static void note(struct talk *t, enum smtp_client_event event)
{
	text_printf(&t->log, "%s", event_names[event]);
	if (event != SMTP_CLIENT_EV_BROKEN)
		text_put_u64(&t->log, smtp_client_code(&t->client));
	if (event == SMTP_CLIENT_EV_MAIL_DONE ||
		(event == SMTP_CLIENT_EV_BYE && smtp_client_result(&t->client) == 421))
		text_printf(&t->log, "=%u", smtp_client_result(&t->client));
	text_putc(&t->log, ' ');
	if (event == SMTP_CLIENT_EV_READY)
		smtp_client_mail(&t->client, BYTES(CONTENT));
	if (event == SMTP_CLIENT_EV_MAIL_DONE)
		smtp_client_quit(&t->client);
	if (event >= SMTP_CLIENT_EV_REFUSED)
		t->over = true;
	if (smtp_client_out(&t->client).len)
		listen_to(t);
	else if (event == SMTP_CLIENT_EV_REPLY)
		text_putc(&t->log, ';');
}

static void hear(struct talk *t, struct bytes octets)
{
	enum smtp_client_event event;

	while (!t->over && (event = smtp_client_input(&t->client, &octets)) != SMTP_CLIENT_EV_INPUT)
		note(t, event);
}

static void start(struct talk *t, bool pipelining)
{
	memset(t, 0, sizeof(*t));
	text_init(&t->memory, t->memory_buf, sizeof(t->memory_buf));
	text_init(&t->log, t->log_buf, sizeof(t->log_buf));
	assert_int_equal(
		smtp_client_words_init(&t->words, "h", "a@b", "c@d", pipelining, &t->memory), 0);
	smtp_client_init(&t->client, &t->words);
}

static void run(const struct dialogue *d, struct talk *t, size_t step)
{
	struct bytes rest = bytes_str(d->server), part;

	start(t, d->pipelining);
	while (bytes_split(&rest, '|', &part))
		for (size_t at = 0; at < part.len; at += step)
			hear(t, bytes_slice(part, at, step));
}

static void says_and_hears(void **state)
{
	const struct dialogue *d = *state;
	static struct talk t;

	run(d, &t, SIZE_MAX / 2);
	assert_string_equal(text_str(&t.log), d->expected);
	run(d, &t, 1);
	assert_string_equal(text_str(&t.log), d->expected);
}

static void noop_is_answered(void **state)
{
	static struct talk t;
	struct bytes reply = BYTES("250 2.0.0 Ok\r\n");

	(void)state;
	start(&t, false);
	t.client.state = SMTP_CLIENT_READY;
	smtp_client_noop(&t.client);
	assert_bytes_equal(smtp_client_out(&t.client), "NOOP\r\n");
	smtp_client_sent(&t.client, 6);
	assert_int_equal(smtp_client_input(&t.client, &reply), SMTP_CLIENT_EV_NOOP_DONE);
	assert_bytes_equal(smtp_client_text(&t.client), "2.0.0 Ok");
}

/* Each end of a mail that is answered before it was said is the server's fault. */
static void a_reply_before_the_command_breaks(void **state)
{
	static struct talk t;
	struct bytes replies = BYTES("250 ok\r\n250 ok\r\n354 go\r\n250 done\r\n");
	enum smtp_client_event event;

	(void)state;
	start(&t, true);
	t.client.state = SMTP_CLIENT_READY;
	t.client.server_pipelines = true;
	smtp_client_mail(&t.client, BYTES(CONTENT));
	do
		event = smtp_client_input(&t.client, &replies);
	while (event == SMTP_CLIENT_EV_REPLY);
	assert_int_equal(event, SMTP_CLIENT_EV_BROKEN);
	assert_int_equal(smtp_client_out(&t.client).len, 0);
}

static void endless_replies_are_bounded(void **state)
{
	static struct talk t;
	enum smtp_client_event event = SMTP_CLIENT_EV_INPUT;
	unsigned n;

	(void)state;
	start(&t, false);
	for (n = 0; event == SMTP_CLIENT_EV_INPUT && n < 100000; n++) {
		struct bytes line = BYTES("220-more\r\n");
		event = smtp_client_input(&t.client, &line);
	}
	assert_int_equal(event, SMTP_CLIENT_EV_BROKEN);
	assert_int_equal(n, SMTP_CLIENT_LINES_MAX + 1);

	start(&t, false);
	hear(&t, BYTES("220 "));
	for (n = 0; !t.over && n < 100000; n++)
		hear(&t, BYTES("x"));
	assert_int_equal(n + 4, SMTP_CLIENT_LINE_MAX + 1);
}

static void words_hold_no_line_ends(void **state)
{
	static struct talk t;

	(void)state;
	start(&t, false);
	assert_int_equal(
		smtp_client_words_init(&t.words, "h\r\nRSET", "a@b", "c", false, &t.memory),
		-EINVAL);
	assert_int_equal(
		smtp_client_words_init(&t.words, "h", "a@b>", "c", false, &t.memory), -EINVAL);
	text_init(&t.memory, t.memory_buf, 20);
	assert_int_equal(
		smtp_client_words_init(&t.words, "h", "a@b", "c@d", false, &t.memory), -ENOSPC);
}

int main(void)
{
	enum { N = sizeof(dialogues) / sizeof(dialogues[0]) };
	struct CMUnitTest cases[N];
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(noop_is_answered),
		cmocka_unit_test(a_reply_before_the_command_breaks),
		cmocka_unit_test(endless_replies_are_bounded),
		cmocka_unit_test(words_hold_no_line_ends),
	};
	int failed;

	for (unsigned i = 0; i < N; i++)
		cases[i] = (struct CMUnitTest){
			dialogues[i].name, says_and_hears, NULL, NULL, (void *)&dialogues[i]};
	failed = cmocka_run_group_tests_name("load/smtp_client dialogues", cases, NULL, NULL);
	return failed + cmocka_run_group_tests_name("load/smtp_client", tests, NULL, NULL);
}
