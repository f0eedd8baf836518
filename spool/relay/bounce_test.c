#include "spool/relay/bounce.h"

#include "base/testing.h"

static char mail[1 << 20];

static struct bounce bounce_of(
	struct bytes content, const struct bounce_recipient *list, uint32_t n)
{
	return (struct bounce){
		.hostname = "mx.lab.example",
		.queue_id = 1024,
		.now_unix_s = 1795524994,
		.original_id = 2048,
		.arrival_unix_s = 1795524000,
		.reverse_path = BYTES("sender@plain.example"),
		.content = content,
		.recipients = list,
		.n_recipients = n,
	};
}

/* In memory of just the size that was promised. */
static const char *put(const struct bounce *b)
{
	struct text t;
	size_t room = bounce_size_max(b);

	assert_true(room < sizeof(mail));
	text_init(&t, mail, room);
	bounce_put(b, &t);
	assert_false(t.overflow);
	return text_str(&t);
}

static void assert_lines_fit_smtp(const char *text)
{
	size_t line = 0;

	for (; *text; text++) {
		if (text[0] == '\r') {
			assert_int_equal(text[1], '\n');
			line = 0;
			text++;
			continue;
		}
		assert_true(*text == '\t' || (*text >= ' ' && *text < 0x7f));
		assert_true(++line <= 998);
	}
	assert_int_equal(line, 0);
}

static void only_an_authentic_sender_that_is_one_gets_a_bounce(void **state)
{
	static const struct {
		const char *reverse_path;
		uint32_t flags;
		bool anyone, may;
	} cases[] = {
		{"a@x.example", SPOOL_MAIL_SENDER_AUTHENTIC, false, true},
		{"a@x.example", 0, false, false},
		{"a@x.example", 0, true, true},
		{"", SPOOL_MAIL_SENDER_AUTHENTIC, true, false},
		{"a@x.example", SPOOL_MAIL_SENDER_AUTHENTIC | SPOOL_MAIL_RELAY, true, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spool_envelope e = {
			.reverse_path = bytes_str(cases[i].reverse_path), .flags = cases[i].flags};

		assert_int_equal(bounce_may(&e, cases[i].anyone), cases[i].may);
	}
}

static void a_report_has_words_fields_and_the_original_header(void **state)
{
	struct bounce_recipient ghost = {.address = BYTES("ghost@lab.example"),
		.status = "5.1.1",
		.reply = "550 5.1.1 no such user"};
	struct bounce b = bounce_of(BYTES("Subject: hello\r\nX: 1\r\n\r\nthe body\r\n"), &ghost, 1);
	const char *text = put(&b);

	(void)state;
	assert_lines_fit_smtp(text);
	assert_non_null(strstr(text, "\r\nTo: <sender@plain.example>\r\n"));
	assert_non_null(strstr(text, "\r\nAuto-Submitted: auto-replied\r\n"));
	assert_non_null(
		strstr(text, "Content-Type: multipart/report; report-type=delivery-status;"));
	assert_non_null(strstr(text, "\r\nReporting-MTA: dns; mx.lab.example\r\n"));
	assert_non_null(strstr(text, "\r\n\r\nFinal-Recipient: rfc822; ghost@lab.example\r\n"
				     "Action: failed\r\nStatus: 5.1.1\r\n"
				     "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"));
	assert_non_null(strstr(
		text, "Content-Type: text/rfc822-headers\r\n\r\nSubject: hello\r\nX: 1\r\n\r\n--"));
	assert_null(strstr(text, "the body"));
}

static void a_status_is_made_up_only_where_there_is_none(void **state)
{
	static const struct {
		const char *status, *told;
		bool expired;
	} cases[] = {
		{"5.7.123", "5.7.123", false},
		{"", "5.0.0", false},
		{"2.0.0", "5.0.0", false},
		{"5.1", "5.0.0", false},
		{"5.1.1.1", "5.0.0", false},
		{"5..1", "5.0.0", false},
		{"5.1234.1", "5.0.0", false},
		{"55.1.1", "5.0.0", false},
		{"5.1.1\r\nX: y", "5.0.0", false},
		{"4.2.2", "4.4.7", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bounce_recipient r = {.address = BYTES("a@x"),
			.status = cases[i].status,
			.reply = "450 no",
			.expired = cases[i].expired};
		struct bounce b = bounce_of(BYTES("\r\n"), &r, 1);
		char want[64];

		snprintf(want, sizeof(want), "\r\nStatus: %s\r\n", cases[i].told);
		assert_non_null(strstr(put(&b), want));
	}
}

static void hostile_octets_never_make_a_line_or_a_part_of_their_own(void **state)
{
	struct bounce_recipient r = {.address = BYTES("a\r\nBcc: e@x"),
		.orcpt = BYTES("rfc822;x+0D+0ABcc:+20y"),
		.status = "5.1.1",
		.reply = "550 no\r\n\r\nFinal-Recipient: rfc822; b@x\x80\x01"};
	struct bounce b = bounce_of(
		BYTES("Subject: \xc3\xa4 =\r\n--=_bounce_0000000000100--\r\nA: b \r\nbare\rcr\n"),
		&r, 1);
	const char *text = put(&b);

	(void)state;
	assert_lines_fit_smtp(text);
	assert_null(strstr(text, "\nBcc:"));
	assert_null(strstr(text, "\nFinal-Recipient: rfc822; b@x"));
	assert_non_null(
		strstr(text, "quoted-printable\r\n\r\nSubject: =C3=A4 =3D\r\n=2D-=3D_bounce"));
	assert_non_null(strstr(text, "A: b=20\r\nbare=0Dcr=0A\r\n"));
}

static void the_largest_of_everything_stays_within_the_size_that_was_promised(void **state)
{
	static char content[BOUNCE_HEADER_MAX + 4096], address[2000], reply[2000],
		orcpt[DSN_ORCPT_MAX];
	struct bounce_recipient list[100];
	struct bounce b = bounce_of(bytes_of(content, sizeof(content)), list, 100);

	(void)state;
	memset(address, 'a', sizeof(address));
	memset(orcpt, 'o', sizeof(orcpt));
	memcpy(orcpt, "rfc822;", 7);
	b.envid = bytes_of(address, DSN_ENVID_MAX);
	memset(reply, 'r', sizeof(reply) - 1);
	for (unsigned i = 0; i < 100; i++)
		list[i] = (struct bounce_recipient){.address = bytes_of(address, sizeof(address)),
			.orcpt = bytes_of(orcpt, sizeof(orcpt)),
			.action = i % BOUNCE_N_ACTIONS,
			.status = "5.999.999",
			.reply = reply,
			.expired = i & 1};
	b.reverse_path = bytes_of(address, sizeof(address));
	for (unsigned kind = 0; kind < 6; kind++) {
		b.full = kind >= 3;
		memset(content, kind % 3 == 0 ? 0xff : 'h', sizeof(content));
		for (size_t i = 0; kind % 3 < 2 && i + 100 < sizeof(content); i += 100)
			memcpy(content + i, "\r\n", 2);
		assert_lines_fit_smtp(put(&b));
	}
}

static void the_sender_is_told_what_it_asked_for(void **state)
{
	static const struct {
		uint8_t notify;
		bool failed, delayed, delivered;
	} cases[] = {
		{0, true, true, false},
		{DSN_NEVER, false, false, false},
		{DSN_FAILURE, true, false, false},
		{DSN_DELAY, false, true, false},
		{DSN_SUCCESS, false, false, true},
		{DSN_SUCCESS | DSN_FAILURE | DSN_DELAY, true, true, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spool_recipient r = {.notify = cases[i].notify};

		assert_int_equal(bounce_wanted(&r, BOUNCE_FAILED), cases[i].failed);
		assert_int_equal(bounce_wanted(&r, BOUNCE_DELAYED), cases[i].delayed);
		assert_int_equal(bounce_wanted(&r, BOUNCE_DELIVERED), cases[i].delivered);
	}
}

static void envelope_id_and_original_recipient_come_back_decoded(void **state)
{
	struct bounce_recipient late = {.address = BYTES("a@lab.example"),
		.orcpt = BYTES("rfc822;first+2Btag@x.example"),
		.action = BOUNCE_DELAYED,
		.status = "5.1.1", /* not of that class */
		.reply = "451 4.3.0 later"};
	struct bounce b = bounce_of(BYTES("Subject: x\r\n\r\n"), &late, 1);
	const char *text;

	(void)state;
	b.envid = BYTES("QQ+20314");
	b.retry_until_unix_s = 1795960000;
	text = put(&b);
	assert_lines_fit_smtp(text);
	assert_non_null(strstr(text, "Subject: Your mail is delayed\r\n"));
	assert_non_null(strstr(text, "\r\n\r\nOriginal-Envelope-Id: QQ 314\r\nReporting-MTA: "));
	assert_non_null(strstr(text, "\r\n\r\nOriginal-Recipient: rfc822; first+tag@x.example\r\n"
				     "Final-Recipient: rfc822; a@lab.example\r\n"
				     "Action: delayed\r\nStatus: 4.0.0\r\n"
				     "Diagnostic-Code: smtp; 451 4.3.0 later\r\n"
				     "Will-Retry-Until: Sun, 29 Nov 2026"));
}

static void success_and_failure_stand_in_one_report(void **state)
{
	struct bounce_recipient list[] = {
		{.address = BYTES("good@x"),
			.action = BOUNCE_DELIVERED,
			.status = "2.1.5",
			.reply = "250 2.1.5 Saved"},
		{.address = BYTES("bad@x"), .status = "5.1.1", .reply = "550 5.1.1 no"},
	};
	struct bounce b = bounce_of(BYTES("\r\n"), list, 2);
	const char *text = put(&b);

	(void)state;
	assert_non_null(strstr(text, "Subject: Your mail could not be delivered\r\n"));
	assert_non_null(strstr(text, "Final-Recipient: rfc822; good@x\r\n"
				     "Action: delivered\r\nStatus: 2.1.5\r\n"));
	assert_non_null(strstr(text, "Final-Recipient: rfc822; bad@x\r\n"
				     "Action: failed\r\nStatus: 5.1.1\r\n"));
}

static void the_whole_mail_goes_back_where_lines_of_7_bit_hold_it(void **state)
{
	static const struct {
		const char *content;
		bool whole;
	} cases[] = {
		{"Subject: x\r\n\r\nbody\r\n-- \r\nme\r\n", true},
		{"Subject: x\r\n\r\nb\xc3\xb6" "dy\r\n", false},
		{"Subject: x\r\n\r\nbare\nline\r\n", false},
	};
	struct bounce_recipient r = {.address = BYTES("a@x"), .status = "5.1.1", .reply = "550 no"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bounce b = bounce_of(bytes_str(cases[i].content), &r, 1);
		const char *text;

		b.full = true;
		text = put(&b);
		assert_lines_fit_smtp(text);
		assert_int_equal(
			strstr(text, "Content-Type: message/rfc822\r\n") != NULL, cases[i].whole);
		assert_int_equal(strstr(text, cases[i].content) != NULL, cases[i].whole);
		assert_non_null(strstr(text, "Subject: x\r\n"));
	}
}

static void a_boundary_in_the_mail_keeps_its_body_out(void **state)
{
	struct bounce_recipient r = {.address = BYTES("a@x"), .status = "5.1.1", .reply = "550 no"};
	struct bounce b = bounce_of(BYTES("Subject: x\r\n\r\n"), &r, 1);
	char content[256], *at;

	(void)state;
	at = strstr(put(&b), "=_bounce_");
	snprintf(content, sizeof(content), "Subject: x\r\n\r\n--%.*s--\r\n", (int)strcspn(at, "\""),
		at);
	b.content = bytes_str(content);
	b.full = true;
	assert_null(strstr(put(&b), "message/rfc822"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_an_authentic_sender_that_is_one_gets_a_bounce),
		cmocka_unit_test(a_report_has_words_fields_and_the_original_header),
		cmocka_unit_test(a_status_is_made_up_only_where_there_is_none),
		cmocka_unit_test(hostile_octets_never_make_a_line_or_a_part_of_their_own),
		cmocka_unit_test(the_sender_is_told_what_it_asked_for),
		cmocka_unit_test(envelope_id_and_original_recipient_come_back_decoded),
		cmocka_unit_test(success_and_failure_stand_in_one_report),
		cmocka_unit_test(the_whole_mail_goes_back_where_lines_of_7_bit_hold_it),
		cmocka_unit_test(a_boundary_in_the_mail_keeps_its_body_out),
		cmocka_unit_test(the_largest_of_everything_stays_within_the_size_that_was_promised),
	};

	return cmocka_run_group_tests_name("spool/relay bounce", tests, NULL, NULL);
}
