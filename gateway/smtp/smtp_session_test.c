#include "gateway/smtp/smtp_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/*
 * Whole dialogues: what a client sends, what it is answered, and the mails that came out. Every
 * case is run whole, and byte by byte.
 */

#define MAILS_MAX 16384

struct peer {
	struct smtp_session session;
	struct slab lines, blocks;
	char said[65536], mails[MAILS_MAX];
	struct text replies, mail;
	unsigned resets, closes;
};

static const struct smtp_config config = {
	.hostname = "mx.example",
	.max_size = 2000,
	.max_recipients = 3,
	.max_command = 512,
	.max_errors = 10,
	.max_transactions = 5,
	.refuse_bytes = 4000,
};

static void peer_init(struct peer *peer)
{
	memset(peer, 0, sizeof(*peer));
	assert_int_equal(slab_init(&peer->lines, 512, 4), 0);
	assert_int_equal(slab_init(&peer->blocks, ARENA_BLOCK_SIZE, 16), 0);
	text_init(&peer->replies, peer->said, sizeof(peer->said));
	text_init(&peer->mail, peer->mails, sizeof(peer->mails));
	smtp_session_init(&peer->session, &config, &peer->lines, &peer->blocks);
}

static void peer_fini(struct peer *peer)
{
	smtp_session_fini(&peer->session);
	assert_int_equal(peer->lines.in_use, 0);
	assert_int_equal(peer->blocks.in_use, 0);
	slab_fini(&peer->lines);
	slab_fini(&peer->blocks);
}

static void reply(struct peer *peer, enum smtp_reply_id id)
{
	smtp_session_answer(&peer->session, smtp_reply_get(id), NULL, 0, &peer->replies);
}

/* A gateway that takes everything but what is for "nobody@". */
static void act(struct peer *peer, enum smtp_event event)
{
	struct smtp_session *s = &peer->session;

	switch (event) {
	case SMTP_EVENT_MAIL: reply(peer, SMTP_REPLY_SENDER_OK); break;
	case SMTP_EVENT_RCPT:
		reply(peer, bytes_eq(s->rcpt->path.local, BYTES("nobody"))
				    ? SMTP_REPLY_NO_SUCH_USER
				    : SMTP_REPLY_RECIPIENT_OK);
		break;
	case SMTP_EVENT_DATA:
		text_putc(&peer->mail, '{');
		reply(peer, SMTP_REPLY_DATA_GO);
		break;
	case SMTP_EVENT_CONTENT: text_put(&peer->mail, s->content); break;
	case SMTP_EVENT_CONTENT_END:
		text_putc(&peer->mail, '}');
		reply(peer, SMTP_REPLY_QUEUED);
		break;
	case SMTP_EVENT_RESET:
		text_putc(&peer->mail, '!');
		peer->resets++;
		break;
	case SMTP_EVENT_CLOSE: peer->closes++; break;
	default: break;
	}
}

static void feed(struct peer *peer, struct bytes input)
{
	for (;;) {
		enum smtp_event event = smtp_session_step(&peer->session, &input, &peer->replies);

		assert_int_not_equal(event, SMTP_EVENT_WAIT);
		assert_int_not_equal(event, SMTP_EVENT_OUTPUT);
		act(peer, event);
		if (event == SMTP_EVENT_INPUT)
			break;
	}
	assert_int_equal(input.len, 0);
}

/* Only the codes of the replies, "250 354 ..."; continued lines left out. */
static const char *codes(struct peer *peer, char *out)
{
	struct text text;

	text_init(&text, out, 4096);
	for (struct bytes rest = text_bytes(&peer->replies), line; bytes_split(&rest, '\n', &line);)
		if (line.len > 3 && line.data[3] == ' ')
			text_printf(&text, "%s%.3s", text.len ? " " : "", (const char *)line.data);
	return text_str(&text);
}

#define EHLO     "EHLO client.example\r\n"
#define ENVELOPE "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"
#define OPEN     EHLO ENVELOPE "DATA\r\n"

static const struct {
	const char *name;
	struct bytes sent;
	const char *codes;
	const char *mails; /* {content}, ! where a transaction ended without one */
} cases[] = {
	{"a plain mail", BYTES(OPEN "Subject: x\r\n\r\nbody\r\n.\r\nQUIT\r\n"),
		"250 250 250 354 250 221", "{Subject: x\r\n\r\nbody\r\n}"},
	{"an empty mail", BYTES(OPEN ".\r\n"), "250 250 250 354 250", "{}"},
	{"dots are unstuffed", BYTES(OPEN "..\r\n.a\r\n...\r\n.\r\n"), "250 250 250 354 250",
		"{.\r\na\r\n..\r\n}"},
	{"two mails in one connection", BYTES(OPEN "1\r\n.\r\n" ENVELOPE "DATA\r\n2\r\n.\r\n"),
		"250 250 250 354 250 250 250 354 250", "{1\r\n}{2\r\n}"},
	{"HELO, lower case, blanks", BYTES("helo  x \r\nmail from: <> \r\n"), "250 250", ""},
	{"commands out of order",
		BYTES("MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n" EHLO "RCPT TO:<a@b>\r\nDATA\r\n"
		      "MAIL FROM:<a@b>\r\nDATA\r\nMAIL FROM:<a@b>\r\n"),
		"503 503 250 503 503 250 503 503", ""},
	{"parameters of DSN",
		BYTES(EHLO "MAIL FROM:<a@b> RET=HDRS ENVID=a+2Bb SIZE=5\r\n"
			   "RCPT TO:<c@d> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;e@f\r\n"
			   "RCPT TO:<c@d> notify=never\r\n"),
		"250 250 250 250", ""},
	{"parameters of DSN that make no sense",
		BYTES(EHLO "MAIL FROM:<a@b> RET=BOTH\r\nMAIL FROM:<a@b> ENVID=\r\n"
			   "MAIL FROM:<a@b> NOTIFY=NEVER\r\n"
			   "MAIL FROM:<a@b> ENVID=a ENVID=a\r\nMAIL FROM:<a@b>\r\n"
			   "RCPT TO:<c@d> NOTIFY=\r\nRCPT TO:<c@d> ORCPT=e@f\r\n"
			   "RCPT TO:<c@d> NOTIFY=DELAY NOTIFY=DELAY\r\nRCPT TO:<c@d> RET=HDRS\r\n"),
		"250 501 501 555 501 250 501 501 501 555", ""},
	{"no parameters after HELO",
		BYTES("HELO x\r\nMAIL FROM:<a@b> RET=HDRS\r\nMAIL FROM:<a@b>\r\n"
		      "RCPT TO:<c@d> NOTIFY=NEVER\r\n"),
		"250 555 250 555", ""},
	{"no recipient was accepted",
		BYTES(EHLO "MAIL FROM:<a@b>\r\nRCPT TO:<nobody@d>\r\nDATA\r\n"), "250 250 550 554",
		""},
	{"a refused recipient beside a good one",
		BYTES(EHLO "MAIL FROM:<a@b>\r\nRCPT TO:<nobody@d>\r\nRCPT "
			   "TO:<c@d>\r\nDATA\r\nx\r\n.\r\n"),
		"250 250 550 250 354 250", "{x\r\n}"},
	{"too many recipients",
		BYTES(EHLO ENVELOPE "RCPT TO:<2@d>\r\nRCPT TO:<3@d>\r\nRCPT TO:<4@d>\r\n"),
		"250 250 250 250 250 452", ""},
	{"RSET and EHLO end a transaction",
		BYTES(EHLO ENVELOPE "RSET\r\n" ENVELOPE EHLO "DATA\r\n"),
		"250 250 250 250 250 250 250 503", "!!"},
	{"QUIT ends a transaction", BYTES(EHLO ENVELOPE "QUIT\r\nNOOP\r\n"), "250 250 250 221",
		"!"},
	{"bad lines", BYTES("NO\0OP\r\nN\xf6OP\r\nNOOP\nNO\rOP\r\n\r\nFOO\r\nNOOP\r\n"),
		"500 500 500 500 500 500 250", ""},
	{"bad arguments",
		BYTES(EHLO "MAIL\r\nMAIL FROM:a@b\r\nMAIL FROM:<a@b\r\nMAIL FROM:<a@b> SIZE=\r\n"
			   "MAIL FROM:<a@b> BODY=\r\nMAIL FROM:<a@b> FOO=1\r\nMAIL FROM:<a@b> "
			   "SIZE=2001\r\n"
			   "VRFY\r\nQUIT now\r\n"),
		"250 501 501 501 501 501 555 552 501 501", ""},
	{"parameters", BYTES(EHLO "MAIL FROM:<a@b> SIZE=2000 body=8bitmime\r\n"), "250 250", ""},
	{"parameters need EHLO", BYTES("HELO x\r\nMAIL FROM:<a@b> SIZE=20\r\n"), "250 555", ""},
	{"VRFY, HELP, NOOP", BYTES("VRFY a\r\nHELP\r\nNOOP x\r\n"), "252 214 250", ""},
	{"8-bit and long content passes", BYTES(OPEN "\xc3\xa4\xff\r\n\r\n\x80\r\n.\r\n"),
		"250 250 250 354 250", "{\xc3\xa4\xff\r\n\r\n\x80\r\n}"},
	{"LF.LF is no end", BYTES(OPEN "a\n.\nMAIL FROM:<x@y>\r\n.\r\n"), "250 250 250 354 550",
		NULL},
	{"CRLF.LF is no end", BYTES(OPEN "a: b\r\n\r\nx\r\n.\nQUIT\r\n.\r\nNOOP\r\n"),
		"250 250 250 354 550 250", NULL},
	{"LF.CRLF is no end", BYTES(OPEN "a: b\r\n\r\nx\n.\r\nQUIT\r\n.\r\nNOOP\r\n"),
		"250 250 250 354 550 250", NULL},
	{"CR.CR is no end", BYTES(OPEN "a: b\r\n\r\nx\r.\rQUIT\r\n.\r\nNOOP\r\n"),
		"250 250 250 354 550 250", NULL},
	{"a dot and a bare CR at the start of a line", BYTES(OPEN ".\rx\r\n.\r\n"),
		"250 250 250 354 550", NULL},
	{"NUL is refused", BYTES(OPEN "a: b\r\n\r\nx\0y\r\n.\r\n"), "250 250 250 354 550", NULL},
};

static void check(unsigned i, size_t portion)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	char out[4096];

	peer_init(peer);
	for (struct bytes rest = cases[i].sent; rest.len > 0; rest = bytes_from(rest, portion))
		feed(peer, bytes_slice(rest, 0, portion));
	if (strcmp(codes(peer, out), cases[i].codes) != 0)
		fail_msg("%s (portions of %zu): %s, not %s", cases[i].name, portion, out,
			cases[i].codes);
	if (cases[i].mails && strcmp(text_str(&peer->mail), cases[i].mails) != 0)
		fail_msg("%s (portions of %zu): %s, not %s", cases[i].name, portion,
			text_str(&peer->mail), cases[i].mails);
	peer_fini(peer);
	free(peer);
}

static void answers_whole_byte_by_byte_and_in_odd_portions(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check(i, SIZE_MAX);
		check(i, 1);
		check(i, 3);
		check(i, 7);
	}
}

static void bare_line_ends_and_nul_are_kept_in_the_body_only(void **state)
{
	static const struct {
		struct bytes sent;
		const char *code;
	} kept[] = {
		{BYTES(OPEN "a: b\r\n\r\nx\ny\rz\r\n.\r\n"), "250 250 250 354 250"},
		{BYTES(OPEN "a: b\nc: d\r\n\r\nx\r\n.\r\n"), "250 250 250 354 550"},
		{BYTES(OPEN "a: b\rc: d\r\n\r\nx\r\n.\r\n"), "250 250 250 354 550"},
		{BYTES(OPEN "a: \0\r\n\r\nx\r\n.\r\n"), "250 250 250 354 550"},
		{BYTES(OPEN "a: b\r\n\r\n\0\r\n.\r\n"), "250 250 250 354 250"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		struct peer *peer = calloc(1, sizeof(*peer));
		char out[4096];

		peer_init(peer);
		peer->session.bare_policy = peer->session.nul_policy = SMTP_EOL_KEEP;
		feed(peer, kept[i].sent);
		assert_string_equal(codes(peer, out), kept[i].code);
		peer_fini(peer);
		free(peer);
	}
}

static void names_the_octet_of_a_bare_line_end(void **state)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	(void)state;
	peer_init(peer);
	feed(peer, BYTES(OPEN "a: b\r\n\r\n123\n\r\n.\r\n"));
	assert_non_null(strstr(text_str(&peer->replies), "550 5.6.0 bare LF at octet 12\r\n"));
	peer_fini(peer);
	free(peer);
}

static void feed_filled(struct peer *peer, size_t octets)
{
	char line[102];

	memset(line, 'x', 100);
	memcpy(line + 100, "\r\n", 2);
	for (size_t sent = 0; sent < octets; sent += sizeof(line))
		feed(peer, bytes_of(line, sizeof(line)));
}

static void a_mail_over_the_size_is_refused_at_its_true_end(void **state)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	char out[4096];

	(void)state;
	peer_init(peer);
	feed(peer, BYTES(OPEN));
	feed_filled(peer, 3000);
	assert_int_equal(peer->resets, 1);
	feed(peer, BYTES("\r\n.\r\nNOOP\r\n"));
	assert_string_equal(codes(peer, out), "250 250 250 354 552 250");
	peer_fini(peer);
	free(peer);
}

static void a_refused_mail_without_end_closes_the_connection(void **state)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	char out[4096];

	(void)state;
	peer_init(peer);
	feed(peer, BYTES(OPEN));
	feed_filled(peer, 7000);
	assert_string_equal(codes(peer, out), "250 250 250 354 552 421");
	assert_int_equal(peer->closes, 1);
	peer_fini(peer);
	free(peer);
}

static void too_many_errors_close_the_connection(void **state)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	char out[4096];

	(void)state;
	peer_init(peer);
	for (unsigned i = 0; i < 20; i++)
		feed(peer, BYTES("FOO\r\n"));
	assert_string_equal(codes(peer, out), "500 500 500 500 500 500 500 500 500 500 421");
	assert_int_equal(peer->closes, 1);
	peer_fini(peer);
	free(peer);
}

static void an_endless_command_line_is_refused_once(void **state)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	char out[4096], line[100];

	(void)state;
	peer_init(peer);
	memset(line, 'x', sizeof(line));
	for (unsigned i = 0; i < 100; i++)
		feed(peer, bytes_of(line, sizeof(line)));
	assert_string_equal(codes(peer, out), "");
	feed(peer, BYTES("\r\nNOOP\r\n"));
	assert_string_equal(codes(peer, out), "500 250");
	peer_fini(peer);
	free(peer);
}

static void a_long_helo_name_outlives_a_transaction(void **state)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	char command[300];

	(void)state;
	peer_init(peer);
	memset(command, 'h', sizeof(command));
	memcpy(command, "EHLO ", 5);
	memcpy(command + 200, "\r\n", 2);
	feed(peer, bytes_of(command, 202));
	assert_int_equal(peer->session.helo.len, 195);
	feed(peer, BYTES(ENVELOPE "DATA\r\nx\r\n.\r\n"));
	assert_int_equal(peer->session.helo.len, 195);
	assert_memory_equal(peer->session.helo.data, command + 5, 195);
	peer_fini(peer);
	free(peer);
}

static void an_odd_end_mark_is_noticed_only_while_it_is_last(void **state)
{
	static const struct {
		struct bytes content;
		bool odd;
	} marks[] = {
		{BYTES("a\n.\n"), true},
		{BYTES("a\r\n.\n"), true},
		{BYTES("a\n.\r\n"), true},
		{BYTES("a\r.\r"), true},
		{BYTES("a\r\n.\n\r\n"), true},
		{BYTES("a\n.\nb"), false},
		{BYTES("a.\n"), false},
		{BYTES("a\r\n..\r\n"), false},
		{BYTES("a\r\n"), false},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		for (size_t portion = 1; portion <= marks[i].content.len; portion++) {
			struct smtp_data data;
			struct bytes out;

			smtp_data_init(&data);
			for (struct bytes rest = marks[i].content; rest.len > 0;
				rest = bytes_from(rest, portion)) {
				struct bytes in = bytes_slice(rest, 0, portion);

				while (smtp_data_feed(&data, &in, &out))
					;
			}
			assert_int_equal(smtp_data_odd_end(&data), marks[i].odd);
		}
	}
}

static void paths_are_read_as_rfc_5321_writes_them(void **state)
{
	static const struct {
		const char *text, *address;
	} paths[] = {
		{"<a@b>", "a@b"},
		{"<>", ""},
		{" <a@b.c>", "a@b.c"},
		{"<\"a b\"@c>", "\"a b\"@c"},
		{"<\"a\\\"b\"@c>", "\"a\\\"b\"@c"},
		{"<@x,@y:a@b>", "a@b"},
		{"<a@[192.0.2.1]>", "a@[192.0.2.1]"},
		{"<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]"},
		{"<a@[192.0.2.256]>", NULL},
		{"<a@[2001:db8::1]>", NULL},
		{"<a.b@c>", "a.b@c"},
		{"<.a@c>", NULL},
		{"<a.@c>", NULL},
		{"<a..b@c>", NULL},
		{"<a@b..c>", NULL},
		{"<a@-b>", NULL},
		{"<a b@c>", NULL},
		{"<a@b>x", NULL},
		{"a@b", NULL},
		{"<a@b", NULL},
		{"<a>", NULL},
		{"<@b>", NULL},
		{"<a@>", NULL},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct bytes rest = bytes_str(paths[i].text);
		struct smtp_path path;
		bool good = smtp_path_parse(&rest, true, false, &path);

		if (good != (paths[i].address != NULL))
			fail_msg("%s", paths[i].text);
		if (good)
			assert_true(bytes_eq(path.address, bytes_str(paths[i].address)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_whole_byte_by_byte_and_in_odd_portions),
		cmocka_unit_test(bare_line_ends_and_nul_are_kept_in_the_body_only),
		cmocka_unit_test(names_the_octet_of_a_bare_line_end),
		cmocka_unit_test(a_mail_over_the_size_is_refused_at_its_true_end),
		cmocka_unit_test(a_refused_mail_without_end_closes_the_connection),
		cmocka_unit_test(too_many_errors_close_the_connection),
		cmocka_unit_test(an_endless_command_line_is_refused_once),
		cmocka_unit_test(a_long_helo_name_outlives_a_transaction),
		cmocka_unit_test(an_odd_end_mark_is_noticed_only_while_it_is_last),
		cmocka_unit_test(paths_are_read_as_rfc_5321_writes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
