#include "spool/lmtp/lmtp_client.h"

#include <errno.h>

#include "base/testing.h"

#define MAX_RCPT 8

/* A conversation: what the server says after each of our turns, and what we said in all. */
struct talk {
	const char *name;
	const char *server[10];
	const char *ours;
	struct lmtp_mail mail;
	struct bytes parts[4];
	const char *to[MAX_RCPT];
	uint8_t notify; /* of the first recipient */
	const char *orcpt;
	const char *results; /* a letter a recipient: s, d, f, upper case where unsure */
	enum lmtp_state state;
};

#define PIPE "220 hi\r\n", "250-me\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 1000\r\n"
#define BDAT "220 hi\r\n", "250-me\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 8BITMIME\r\n"
#define BARE "220-hi\r\n220 there\r\n", "250 me\r\n"
#define BODY "Subject: x\r\n\r\n.dot\r\nend\r\n"

static const struct talk talks[] = {
	{
		.name = "one recipient by DATA",
		.server = {PIPE, "250 ok\r\n250 2.1.5 ok\r\n", "354 go\r\n", "250 2.0.0 saved\r\n"},
		.ours = "LHLO mx\r\nMAIL FROM:<a@b> SIZE=25\r\nRCPT TO:<r@x>\r\nDATA\r\n"
			"Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n",
		.mail.reverse_path = BYTES("a@b"),
		.parts = {BYTES(BODY)},
		.to = {"r@x"},
		.results = "s",
	},
	{
		.name = "DSN where it is announced",
		.server = {"220 hi\r\n", "250-me\r\n250-PIPELINING\r\n250 DSN\r\n",
			"250 ok\r\n250 ok\r\n250 ok\r\n", "354 go\r\n",
			"250 saved\r\n250 saved\r\n"},
		.ours = "LHLO mx\r\nMAIL FROM:<a@b> RET=HDRS ENVID=QQ+20\r\n"
			"RCPT TO:<r@x> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o@x\r\n"
			"RCPT TO:<s@x>\r\nDATA\r\nx\r\n.\r\n",
		.mail = {.reverse_path = BYTES("a@b"),
			.ret = DSN_RET_HDRS,
			.envid = BYTES("QQ+20")},
		.parts = {BYTES("x\r\n")},
		.to = {"r@x", "s@x"},
		.notify = DSN_SUCCESS | DSN_DELAY,
		.orcpt = "rfc822;o@x",
		.results = "ss",
	},
	{
		.name = "DSN where it is not",
		.server = {PIPE, "250 ok\r\n250 ok\r\n", "354 go\r\n", "250 saved\r\n"},
		.ours = "LHLO mx\r\nMAIL FROM:<a@b> SIZE=3\r\nRCPT TO:<r@x>\r\nDATA\r\nx\r\n.\r\n",
		.mail = {.reverse_path = BYTES("a@b"), .ret = DSN_RET_FULL, .envid = BYTES("QQ")},
		.parts = {BYTES("x\r\n")},
		.to = {"r@x"},
		.notify = DSN_NEVER,
		.orcpt = "rfc822;o@x",
		.results = "s",
	},
	{
		.name = "parameters only as announced, one command at a time",
		.server = {BARE, "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 saved\r\n"},
		.ours = "LHLO mx\r\nMAIL FROM:<>\r\nRCPT TO:<r@x>\r\nDATA\r\nA: "
			"b\r\n\r\nx\r\n.\r\n",
		.mail = {.reverse_path = BYTES(""), .eight_bit = true},
		.parts = {BYTES("A: b\r\n"), BYTES(""), BYTES("\r\nx")},
		.to = {"r@x"},
		.results = "s",
	},
	{
		.name = "bare line ends go by BDAT, untouched",
		.server = {BDAT, "250 ok\r\n250 ok\r\n", "250 saved\r\n"},
		.ours = "LHLO mx\r\nMAIL FROM:<a@b> BODY=8BITMIME\r\nRCPT TO:<r@x>\r\n"
			"BDAT 14 LAST\r\nA: b\r\n\r\n.\n.\r\nM",
		.mail = {.reverse_path = BYTES("a@b"), .eight_bit = true, .bare_eol = true},
		.parts = {BYTES("A: b\r\n\r\n"), BYTES(".\n.\r\nM")},
		.to = {"r@x"},
		.results = "s",
	},
	{
		.name = "bare line ends never go by DATA, flagged or not",
		.server = {PIPE},
		.ours = "LHLO mx\r\n",
		.mail.reverse_path = BYTES("a@b"),
		.parts = {BYTES("A: b\r\n\r\n\n.\r"), BYTES("\nMAIL FROM:<evil@x>\r\n")},
		.to = {"r@x"},
		.results = "f",
	},
	{
		.name = "a CR at the very end is bare",
		.server = {PIPE},
		.ours = "LHLO mx\r\n",
		.mail.reverse_path = BYTES("a@b"),
		.parts = {BYTES("A: b\r\n\r\nx\r")},
		.to = {"r@x"},
		.results = "f",
	},
	{
		.name = "SMTPUTF8 to a server without it fails for good",
		.server = {BDAT},
		.ours = "LHLO mx\r\n",
		.mail = {.reverse_path = BYTES("a@b"), .utf8 = true},
		.parts = {BYTES(BODY)},
		.to = {"r@x", "s@x"},
		.results = "ff",
	},
	{
		.name = "SMTPUTF8 where it is announced",
		.server = {"220 hi\r\n", "250-me\r\n250-PIPELINING\r\n250 SMTPUTF8\r\n",
			"250 ok\r\n250 ok\r\n", "354 go\r\n", "250 saved\r\n"},
		.ours = "LHLO mx\r\nMAIL FROM:<a@b> SMTPUTF8\r\nRCPT "
			"TO:<r@x>\r\nDATA\r\nx\r\n.\r\n",
		.mail = {.reverse_path = BYTES("a@b"), .utf8 = true},
		.parts = {BYTES("x\r\n")},
		.to = {"r@x"},
		.results = "s",
	},
	{
		.name = "larger than announced fails for good",
		.server = {"220 hi\r\n", "250-me\r\n250 SIZE 10\r\n"},
		.ours = "LHLO mx\r\n",
		.mail.reverse_path = BYTES("a@b"),
		.parts = {BYTES("Subject: x\r\n")},
		.to = {"r@x"},
		.results = "f",
	},
	{
		.name = "a reply for each accepted recipient, in order",
		.server = {PIPE,
			"250 ok\r\n250 ok\r\n550 5.1.1 who?\r\n250 ok\r\n450 4.2.1 later\r\n",
			"354 go\r\n", "250-2.0.0 one\r\n250 2.0.0 more\r\n452 4.2.2 full\r\n"},
		.ours = "LHLO mx\r\nMAIL FROM:<a@b> SIZE=3\r\nRCPT TO:<1@x>\r\nRCPT TO:<2@x>\r\n"
			"RCPT TO:<3@x>\r\nRCPT TO:<4@x>\r\nDATA\r\nx\r\n.\r\n",
		.mail.reverse_path = BYTES("a@b"),
		.parts = {BYTES("x\r\n")},
		.to = {"1@x", "2@x", "3@x", "4@x"},
		.results = "sfdd",
	},
	{
		.name = "no recipient accepted: no DATA",
		.server = {PIPE, "250 ok\r\n550 5.1.1 no\r\n451 later\r\n"},
		.ours = "LHLO mx\r\nMAIL FROM:<a@b> SIZE=3\r\nRCPT TO:<1@x>\r\nRCPT TO:<2@x>\r\n",
		.mail.reverse_path = BYTES("a@b"),
		.parts = {BYTES("x\r\n")},
		.to = {"1@x", "2@x"},
		.results = "fd",
	},
	{
		.name = "MAIL refused counts for all",
		.server = {PIPE, "451 4.3.0 no\r\n503 what?\r\n503 what?\r\n"},
		.ours = "LHLO mx\r\nMAIL FROM:<a@b> SIZE=3\r\nRCPT TO:<1@x>\r\nRCPT TO:<2@x>\r\n",
		.mail.reverse_path = BYTES("a@b"),
		.parts = {BYTES("x\r\n")},
		.to = {"1@x", "2@x"},
		.results = "dd",
	},
	{
		.name = "DATA refused counts for those accepted",
		.server = {PIPE, "250 ok\r\n250 ok\r\n550 no\r\n", "452 4.3.1 disk\r\n"},
		.ours = "LHLO mx\r\nMAIL FROM:<a@b> SIZE=3\r\nRCPT TO:<1@x>\r\nRCPT "
			"TO:<2@x>\r\nDATA\r\n",
		.mail.reverse_path = BYTES("a@b"),
		.parts = {BYTES("x\r\n")},
		.to = {"1@x", "2@x"},
		.results = "df",
	},
	{
		.name = "the server goes away before the content",
		.server = {PIPE, "250 ok\r\n421 4.3.2 bye\r\n"},
		.ours = "LHLO mx\r\nMAIL FROM:<a@b> SIZE=3\r\nRCPT TO:<1@x>\r\nRCPT TO:<2@x>\r\n",
		.mail.reverse_path = BYTES("a@b"),
		.parts = {BYTES("x\r\n")},
		.to = {"1@x", "2@x"},
		.results = "dd",
		.state = LMTP_FAILED,
	},
	{
		.name = "the connection ends between two final replies: the second is unsure",
		.server = {PIPE, "250 ok\r\n250 ok\r\n250 ok\r\n", "354 go\r\n", "250 saved\r\n",
			"EOF"},
		.ours = "LHLO mx\r\nMAIL FROM:<a@b> SIZE=3\r\nRCPT TO:<1@x>\r\nRCPT "
			"TO:<2@x>\r\nDATA\r\n"
			"x\r\n.\r\n",
		.mail.reverse_path = BYTES("a@b"),
		.parts = {BYTES("x\r\n")},
		.to = {"1@x", "2@x"},
		.results = "sD",
		.state = LMTP_FAILED,
	},
	{
		.name = "nonsense instead of a reply",
		.server = {PIPE, "hello\r\n"},
		.ours = "LHLO mx\r\nMAIL FROM:<a@b> SIZE=3\r\nRCPT TO:<1@x>\r\n",
		.mail.reverse_path = BYTES("a@b"),
		.parts = {BYTES("x\r\n")},
		.to = {"1@x"},
		.results = "d",
		.state = LMTP_FAILED,
	},
	{
		.name = "lines of one reply with different codes",
		.server = {PIPE, "250-ok\r\n550 no\r\n"},
		.ours = "LHLO mx\r\nMAIL FROM:<a@b> SIZE=3\r\nRCPT TO:<1@x>\r\n",
		.mail.reverse_path = BYTES("a@b"),
		.parts = {BYTES("x\r\n")},
		.to = {"1@x"},
		.results = "d",
		.state = LMTP_FAILED,
	},
	{
		.name = "a reply to nothing",
		.server = {PIPE, "250 ok\r\n250 ok\r\n250 and?\r\n"},
		.ours = "LHLO mx\r\nMAIL FROM:<a@b> SIZE=3\r\nRCPT TO:<1@x>\r\n",
		.mail.reverse_path = BYTES("a@b"),
		.parts = {BYTES("x\r\n")},
		.to = {"1@x"},
		.results = "d",
		.state = LMTP_FAILED,
	},
};

struct side {
	struct lmtp_client c;
	char sent[4096];
	size_t n_sent;
};

static void pull(struct side *s, size_t cap)
{
	uint8_t buf[4096];
	size_t n;

	while ((n = lmtp_client_output(&s->c, buf, cap, 0))) {
		assert_true(n <= cap && s->n_sent + n < sizeof(s->sent));
		memcpy(s->sent + s->n_sent, buf, n);
		s->n_sent += n;
	}
	s->sent[s->n_sent] = '\0';
}

static void say(struct side *s, const char *text, bool bytewise)
{
	if (strcmp(text, "EOF") == 0) {
		lmtp_client_ended(&s->c, "connection closed");
		return;
	}
	for (size_t i = 0; bytewise && text[i]; i++)
		lmtp_client_input(&s->c, bytes_of(text + i, 1), 0);
	if (!bytewise)
		lmtp_client_input(&s->c, bytes_str(text), 0);
}

static char letter(const struct lmtp_result *r)
{
	static const char letters[] = {'p', 's', 'd', 'f'};

	assert_true(r->outcome == LMTP_PENDING || r->dsn[1] == '.');
	return r->unsure ? (char)ascii_upper(letters[r->outcome]) : letters[r->outcome];
}

static void converse(const struct talk *t, size_t cap, bool bytewise)
{
	struct lmtp_recipient recipients[MAX_RCPT] = {0};
	struct lmtp_mail mail = t->mail;
	struct side s = {0};
	char results[MAX_RCPT + 1] = "";
	unsigned turn = 0;

	mail.parts = t->parts;
	for (; mail.n_parts < 4 && t->parts[mail.n_parts].data; mail.n_parts++)
		;
	mail.recipients = recipients;
	for (; mail.n_recipients < MAX_RCPT && t->to[mail.n_recipients]; mail.n_recipients++)
		recipients[mail.n_recipients].address = bytes_str(t->to[mail.n_recipients]);
	recipients[0].notify = t->notify;
	recipients[0].orcpt = bytes_str(t->orcpt ? t->orcpt : "");
	lmtp_client_init(&s.c, "mx", 1000, 0);
	for (; turn < 2; turn++) {
		pull(&s, cap);
		say(&s, t->server[turn], bytewise);
	}
	assert_int_equal(s.c.state, LMTP_READY);
	lmtp_client_send(&s.c, &mail, 0);
	for (; t->server[turn]; turn++) {
		pull(&s, cap);
		say(&s, t->server[turn], bytewise);
	}
	for (unsigned i = 0; i < mail.n_recipients; i++)
		results[i] = letter(&recipients[i].result);
	if (strcmp(s.sent, t->ours) != 0 || strcmp(results, t->results) != 0)
		fail_msg("%s: sent \"%s\", results %s", t->name, s.sent, results);
	assert_int_equal(s.c.state, t->state ? t->state : LMTP_READY);
}

static void conversations_go_as_the_table_says_whole_and_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
		converse(&talks[i], 4096, false);
		converse(&talks[i], 4096, true);
		converse(&talks[i], 2, false);
		converse(&talks[i], 7, true);
	}
}

/* Greeting and LHLO are over. */
static void ready(struct side *s)
{
	memset(s, 0, sizeof(*s));
	lmtp_client_init(&s->c, "mx", 1000, 0);
	say(s, "220 hi\r\n", false);
	pull(s, 4096);
	say(s, "250-me\r\n250 PIPELINING\r\n", false);
	assert_int_equal(s->c.state, LMTP_READY);
	s->n_sent = 0;
}

static void the_second_mail_on_a_connection_begins_with_rset(void **state)
{
	struct lmtp_recipient to = {.address = BYTES("r@x")};
	const struct bytes part = BYTES("x\r\n");
	struct lmtp_mail mail = {.reverse_path = BYTES("a@b"),
		.parts = &part,
		.n_parts = 1,
		.recipients = &to,
		.n_recipients = 1};
	struct side s;

	(void)state;
	ready(&s);
	for (unsigned i = 0; i < 2; i++) {
		s.n_sent = 0;
		lmtp_client_send(&s.c, &mail, 0);
		pull(&s, 4096);
		say(&s, i ? "250 reset\r\n250 ok\r\n250 ok\r\n" : "250 ok\r\n250 ok\r\n", false);
		pull(&s, 4096);
		say(&s, "354 go\r\n", false);
		pull(&s, 4096);
		say(&s, "250 2.6.0 saved\r\n", false);
		assert_int_equal(s.c.state, LMTP_READY);
		assert_int_equal(to.result.outcome, LMTP_DELIVERED);
		assert_string_equal(to.result.dsn, "2.6.0");
		assert_string_equal(to.result.text, "250 2.6.0 saved");
	}
	assert_non_null(strstr(s.sent, "RSET\r\nMAIL FROM:<a@b>\r\nRCPT TO:<r@x>\r\nDATA\r\n"));
	lmtp_client_quit(&s.c);
	pull(&s, 4096);
	assert_non_null(strstr(s.sent, "QUIT\r\n"));
}

static void a_silent_server_fails_the_mail_at_the_deadline_and_not_before(void **state)
{
	struct lmtp_recipient to = {.address = BYTES("r@x")};
	struct lmtp_mail mail = {
		.reverse_path = BYTES("a@b"), .recipients = &to, .n_recipients = 1};
	uint8_t buf[100];
	struct side s;

	(void)state;
	ready(&s);
	assert_true(lmtp_client_deadline(&s.c) == UINT64_MAX);
	lmtp_client_send(&s.c, &mail, 5000);
	assert_true(lmtp_client_output(&s.c, buf, sizeof(buf), 5100) > 0);
	assert_int_equal(lmtp_client_deadline(&s.c), 6100);
	lmtp_client_tick(&s.c, 6099);
	assert_int_equal(s.c.state, LMTP_BUSY);
	lmtp_client_tick(&s.c, 6100);
	assert_int_equal(s.c.state, LMTP_FAILED);
	assert_int_equal(to.result.outcome, LMTP_TEMPORARY);
	assert_false(to.result.unsure);
}

#define FOLLOWING 4

/* Several mails on a connection that takes them before any reply. */
struct following {
	struct side s;
	struct lmtp_mail mails[FOLLOWING];
	struct lmtp_recipient to[FOLLOWING][2];
};

static const struct bytes follow_part = BYTES("x\r\n");

static void follow(struct following *f, unsigned n_mails, size_t cap)
{
	memset(f, 0, sizeof(*f));
	lmtp_client_init(&f->s.c, "mx", 1000, 0);
	say(&f->s, "220 hi\r\n", false);
	pull(&f->s, 4096);
	say(&f->s, "250-me\r\n250-CHUNKING\r\n250 PIPELINING\r\n", false);
	f->s.n_sent = 0;
	f->s.c.hurry = true;
	for (unsigned i = 0; i < n_mails; i++) {
		f->to[i][0].address = BYTES("r@x");
		f->to[i][1].address = BYTES("s@x");
		f->mails[i] = (struct lmtp_mail){.reverse_path = BYTES("a@b"),
			.parts = &follow_part,
			.n_parts = 1,
			.recipients = f->to[i],
			.n_recipients = 1 + i % 2};
		assert_true(lmtp_client_takes(&f->s.c));
		lmtp_client_send(&f->s.c, &f->mails[i], 0);
	}
	pull(&f->s, cap);
}

#define FOLLOW_HEAD "MAIL FROM:<a@b>\r\nRCPT TO:<r@x>\r\n"
#define FOLLOW_BODY "BDAT 3 LAST\r\nx\r\n"

static void mails_follow_each_other_before_any_reply(void **state)
{
	static struct following f;

	(void)state;
	for (unsigned bytewise = 0; bytewise < 2; bytewise++) {
		follow(&f, 3, bytewise ? 2 : 4096);
		assert_string_equal(f.s.sent, FOLLOW_HEAD FOLLOW_BODY
			"RSET\r\n" FOLLOW_HEAD "RCPT TO:<s@x>\r\n" FOLLOW_BODY
			"RSET\r\n" FOLLOW_HEAD FOLLOW_BODY);
		say(&f.s, "250 ok\r\n250 ok\r\n250 2.0.0 first\r\n", bytewise);
		assert_ptr_equal(lmtp_client_over(&f.s.c), &f.mails[0]);
		assert_null(lmtp_client_over(&f.s.c));
		assert_int_equal(f.s.c.state, LMTP_BUSY);
		say(&f.s, "250 ok\r\n250 ok\r\n550 5.1.1 no\r\n250 ok\r\n250 second\r\n", bytewise);
		say(&f.s, "250 ok\r\n250 ok\r\n250 ok\r\n450 third\r\n", bytewise);
		assert_ptr_equal(lmtp_client_over(&f.s.c), &f.mails[1]);
		assert_ptr_equal(lmtp_client_over(&f.s.c), &f.mails[2]);
		assert_int_equal(f.s.c.state, LMTP_READY);
		assert_string_equal(f.to[0][0].result.text, "250 2.0.0 first");
		assert_int_equal(f.to[1][0].result.outcome, LMTP_PERMANENT);
		assert_string_equal(f.to[1][1].result.text, "250 second");
		assert_int_equal(f.to[2][0].result.outcome, LMTP_TEMPORARY);
		assert_false(f.to[2][0].result.unsure);
	}
}

static void mails_keep_their_order_when_there_is_no_more_hurry(void **state)
{
	static struct following f;

	(void)state;
	follow(&f, 1, 4096);
	f.s.c.hurry = false;
	for (unsigned i = 1; i < 4; i++) {
		f.mails[i] = f.mails[0];
		f.mails[i].recipients = f.to[i];
		f.to[i][0].address = BYTES("r@x");
		lmtp_client_send(&f.s.c, &f.mails[i], 0);
		f.s.c.hurry = i == 2;
		pull(&f.s, 4096);
	}
	for (unsigned i = 0; i < 4; i++) {
		say(&f.s, i ? "250 ok\r\n250 ok\r\n250 ok\r\n" : "250 ok\r\n250 ok\r\n", false);
		pull(&f.s, 4096);
		say(&f.s, "250 saved\r\n", false);
		assert_ptr_equal(lmtp_client_over(&f.s.c), &f.mails[i]);
		assert_int_equal(f.to[i][0].result.outcome, LMTP_DELIVERED);
		pull(&f.s, 4096);
	}
	assert_int_equal(f.s.c.state, LMTP_READY);
}

static void content_that_no_recipient_was_taken_for_gets_one_reply(void **state)
{
	static struct following f;

	(void)state;
	follow(&f, 3, 4096);
	say(&f.s, "250 ok\r\n550 5.1.1 no\r\n503 5.5.1 no recipient\r\n", false);
	assert_ptr_equal(lmtp_client_over(&f.s.c), &f.mails[0]);
	assert_int_equal(f.to[0][0].result.outcome, LMTP_PERMANENT);
	assert_string_equal(f.to[0][0].result.dsn, "5.1.1");
	say(&f.s, "250 ok\r\n451 no\r\n503 what\r\n503 what\r\n503 what\r\n", false);
	assert_ptr_equal(lmtp_client_over(&f.s.c), &f.mails[1]);
	assert_string_equal(f.to[1][0].result.text, "451 no");
	assert_string_equal(f.to[1][1].result.text, "451 no");
	say(&f.s, "250 ok\r\n250 ok\r\n250 ok\r\n250 saved\r\n", false);
	assert_ptr_equal(lmtp_client_over(&f.s.c), &f.mails[2]);
	assert_int_equal(f.to[2][0].result.outcome, LMTP_DELIVERED);
	assert_int_equal(f.s.c.state, LMTP_READY);
}

static void what_was_not_sent_whole_when_the_connection_ends_is_untried(void **state)
{
	static struct following f;
	uint8_t buf[150];
	size_t n;

	(void)state;
	follow(&f, 4, 0);
	n = lmtp_client_output(&f.s.c, buf, sizeof(buf), 0);
	assert_true(n > 0 && n <= sizeof(buf)); /* two mails and a part of the third */
	say(&f.s, "250 ok\r\n", false);
	lmtp_client_ended(&f.s.c, "gone");
	for (unsigned i = 0; i < 4; i++) {
		assert_ptr_equal(lmtp_client_over(&f.s.c), &f.mails[i]);
		assert_int_equal(f.mails[i].untried, i >= 2);
		assert_int_equal(f.to[i][0].result.unsure, i < 2);
	}
	assert_null(lmtp_client_over(&f.s.c));
}

/* Content that comes in pieces. */
struct pieces {
	struct lmtp_mail mail;
	struct bytes part;
	unsigned left;
};

static int next_piece(struct lmtp_mail *mail)
{
	struct pieces *p = (struct pieces *)mail;

	if (p->left == 0)
		return -EIO;
	p->left--;
	p->part = p->left ? BYTES(".b\r\n") : BYTES("c\r\n");
	mail->parts = &p->part;
	mail->n_parts = 1;
	return 0;
}

static void content_comes_in_pieces_where_it_is_not_at_hand(void **state)
{
	static const char *const servers[] = {
		"250-me\r\n250 PIPELINING\r\n", "250-me\r\n250 CHUNKING\r\n"};
	struct lmtp_recipient to = {.address = BYTES("r@x")};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct pieces p = {.mail = {.reverse_path = BYTES("a@b"),
					   .recipients = &to,
					   .n_recipients = 1,
					   .more = next_piece,
					   .more_octets = 7,
					   .parts = &p.part,
					   .n_parts = 1},
			.part = BYTES("a\r\n"),
			.left = i < 2 ? 2 : 1};
		struct side s = {0};

		lmtp_client_init(&s.c, "mx", 1000, 0);
		say(&s, "220 hi\r\n", false);
		pull(&s, 4096);
		say(&s, servers[i % 2], false);
		lmtp_client_send(&s.c, &p.mail, 0);
		pull(&s, 4096);
		say(&s, "250 ok\r\n", false);
		pull(&s, 4096);
		say(&s, "250 ok\r\n", false);
		pull(&s, 4096);
		if (i % 2 == 0)
			say(&s, "354 go\r\n", false);
		pull(&s, 4096);
		if (i < 2) {
			assert_non_null(strstr(s.sent, i ? "BDAT 10 LAST\r\na\r\n.b\r\nc\r\n"
							 : "DATA\r\na\r\n..b\r\nc\r\n.\r\n"));
			say(&s, "250 saved\r\n", false);
			assert_int_equal(to.result.outcome, LMTP_DELIVERED);
		} else {
			assert_int_equal(s.c.state, LMTP_FAILED);
			assert_int_equal(to.result.outcome, LMTP_TEMPORARY);
			assert_false(to.result.unsure);
		}
	}
}

static void a_mail_whose_content_is_lost_behind_others_counts_as_tried(void **state)
{
	static struct following f;
	struct lmtp_recipient to = {.address = BYTES("r@x")};
	struct pieces p = {.mail = {.reverse_path = BYTES("a@b"),
				   .recipients = &to,
				   .n_recipients = 1,
				   .more = next_piece,
				   .more_octets = 7,
				   .parts = &p.part,
				   .n_parts = 1},
		.part = BYTES("a\r\n")};

	(void)state;
	follow(&f, 1, 4096);
	lmtp_client_send(&f.s.c, &p.mail, 0);
	f.mails[1] = f.mails[0];
	f.mails[1].recipients = f.to[1];
	lmtp_client_send(&f.s.c, &f.mails[1], 0);
	pull(&f.s, 4096);
	assert_int_equal(f.s.c.state, LMTP_FAILED);
	assert_ptr_equal(lmtp_client_over(&f.s.c), &f.mails[0]);
	assert_ptr_equal(lmtp_client_over(&f.s.c), &p.mail);
	assert_false(p.mail.untried);
	assert_int_equal(to.result.outcome, LMTP_TEMPORARY);
	assert_false(to.result.unsure);
	assert_ptr_equal(lmtp_client_over(&f.s.c), &f.mails[1]);
	assert_true(f.mails[1].untried);
}

static void an_address_cannot_smuggle_a_command(void **state)
{
	struct lmtp_recipient to = {.address = BYTES("r@x>\r\nRCPT TO:<evil@x")};
	struct lmtp_mail mail = {
		.reverse_path = BYTES("a@b"), .recipients = &to, .n_recipients = 1};
	struct side s;

	(void)state;
	ready(&s);
	lmtp_client_send(&s.c, &mail, 0);
	pull(&s, 4096);
	assert_int_equal(s.n_sent, 0);
	assert_int_equal(to.result.outcome, LMTP_PERMANENT);
}

static void endless_replies_are_cut_off(void **state)
{
	struct side s = {0};

	(void)state;
	lmtp_client_init(&s.c, "mx", 1000, 0);
	for (unsigned i = 0; i < LMTP_REPLY_LINES; i++)
		say(&s, "220-more\r\n", false);
	assert_int_equal(s.c.state, LMTP_OPENING);
	say(&s, "220-more\r\n", false);
	assert_int_equal(s.c.state, LMTP_FAILED);
}

static void opens_for_tls(struct side *s, const char *greeting, const char *extensions)
{
	memset(s, 0, sizeof(*s));
	lmtp_client_init(&s->c, "mx", 1000, 0);
	s->c.starttls = true;
	say(s, greeting, false);
	pull(s, 4096);
	say(s, extensions, false);
	pull(s, 4096);
}

static void what_was_said_before_tls_counts_for_nothing(void **state)
{
	struct side s;

	(void)state;
	opens_for_tls(&s, "220 hi\r\n", "250-me\r\n250-STARTTLS\r\n250-CHUNKING\r\n250 SIZE 7\r\n");
	assert_string_equal(s.sent, "LHLO mx\r\nSTARTTLS\r\n");
	assert_false(lmtp_client_turns(&s.c));
	say(&s, "220 go\r\n", true);
	assert_true(lmtp_client_turns(&s.c));
	lmtp_client_secured(&s.c);
	assert_false(lmtp_client_turns(&s.c));
	pull(&s, 4096);
	assert_string_equal(s.sent, "LHLO mx\r\nSTARTTLS\r\nLHLO mx\r\n");
	assert_int_equal(s.c.state, LMTP_OPENING);
	say(&s, "250-me\r\n250-STARTTLS\r\n250 PIPELINING\r\n", true);
	assert_int_equal(s.c.state, LMTP_READY);
	assert_int_equal(s.c.extensions, LMTP_STARTTLS | LMTP_PIPELINING);
	assert_int_equal(s.c.size_limit, 0);
}

static void nothing_goes_to_a_server_that_does_not_begin_tls(void **state)
{
	static const struct {
		const char *lhlo, *starttls, *failure;
	} cases[] = {
		{"250 me\r\n", NULL, "451 4.7.4 the server does not announce STARTTLS"},
		{"250-me\r\n250 STARTTLS\r\n", "454 4.7.0 not now\r\n", "454 4.7.0 not now"},
		{"250-me\r\n250 STARTTLS\r\n", "220 go\r\n250 injected\r\n",
			"451 4.7.0 the server spoke on after STARTTLS"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (unsigned bytewise = 0; bytewise < 2; bytewise++) {
			struct side s;

			opens_for_tls(&s, "220 hi\r\n", cases[i].lhlo);
			if (cases[i].starttls)
				say(&s, cases[i].starttls, bytewise);
			assert_int_equal(s.c.state, LMTP_FAILED);
			assert_false(lmtp_client_turns(&s.c));
			assert_string_equal(lmtp_client_failure(&s.c), cases[i].failure);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversations_go_as_the_table_says_whole_and_byte_by_byte),
		cmocka_unit_test(the_second_mail_on_a_connection_begins_with_rset),
		cmocka_unit_test(a_silent_server_fails_the_mail_at_the_deadline_and_not_before),
		cmocka_unit_test(mails_follow_each_other_before_any_reply),
		cmocka_unit_test(mails_keep_their_order_when_there_is_no_more_hurry),
		cmocka_unit_test(content_that_no_recipient_was_taken_for_gets_one_reply),
		cmocka_unit_test(what_was_not_sent_whole_when_the_connection_ends_is_untried),
		cmocka_unit_test(content_comes_in_pieces_where_it_is_not_at_hand),
		cmocka_unit_test(a_mail_whose_content_is_lost_behind_others_counts_as_tried),
		cmocka_unit_test(an_address_cannot_smuggle_a_command),
		cmocka_unit_test(endless_replies_are_cut_off),
		cmocka_unit_test(what_was_said_before_tls_counts_for_nothing),
		cmocka_unit_test(nothing_goes_to_a_server_that_does_not_begin_tls),
	};

	return cmocka_run_group_tests_name("spool/lmtp client", tests, NULL, NULL);
}
