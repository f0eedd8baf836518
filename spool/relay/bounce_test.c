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
	struct bounce_recipient ghost = {
		BYTES("ghost@lab.example"), "5.1.1", "550 5.1.1 no such user", false};
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
		struct bounce_recipient r = {
			BYTES("a@x"), cases[i].status, "450 no", cases[i].expired};
		struct bounce b = bounce_of(BYTES("\r\n"), &r, 1);
		char want[64];

		snprintf(want, sizeof(want), "\r\nStatus: %s\r\n", cases[i].told);
		assert_non_null(strstr(put(&b), want));
	}
}

static void hostile_octets_never_make_a_line_or_a_part_of_their_own(void **state)
{
	struct bounce_recipient r = {BYTES("a\r\nBcc: e@x"), "5.1.1",
		"550 no\r\n\r\nFinal-Recipient: rfc822; b@x\x80\x01", false};
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
	static char content[BOUNCE_HEADER_MAX + 4096], address[2000], reply[2000];
	struct bounce_recipient list[100];
	struct bounce b = bounce_of(bytes_of(content, sizeof(content)), list, 100);

	(void)state;
	memset(address, 'a', sizeof(address));
	memset(reply, 'r', sizeof(reply) - 1);
	for (unsigned i = 0; i < 100; i++)
		list[i] = (struct bounce_recipient){
			bytes_of(address, sizeof(address)), "5.999.999", reply, i & 1};
	b.reverse_path = bytes_of(address, sizeof(address));
	for (unsigned kind = 0; kind < 3; kind++) {
		memset(content, kind == 0 ? 0xff : 'h', sizeof(content));
		for (size_t i = 0; kind < 2 && i + 100 < sizeof(content); i += 100)
			memcpy(content + i, "\r\n", 2);
		assert_lines_fit_smtp(put(&b));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_an_authentic_sender_that_is_one_gets_a_bounce),
		cmocka_unit_test(a_report_has_words_fields_and_the_original_header),
		cmocka_unit_test(a_status_is_made_up_only_where_there_is_none),
		cmocka_unit_test(hostile_octets_never_make_a_line_or_a_part_of_their_own),
		cmocka_unit_test(the_largest_of_everything_stays_within_the_size_that_was_promised),
	};

	return cmocka_run_group_tests_name("spool/relay bounce", tests, NULL, NULL);
}
