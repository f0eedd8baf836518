#include "auth/message/received.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char buffer[RECEIVED_MAX + 1];
static struct text out;

static struct received sample(void)
{
	struct received r = {
		.helo = BYTES("client.example.com"),
		.host = BYTES("mx.example.org"),
		.protocol = BYTES("ESMTP"),
		.queue_id = BYTES("0123456789ABC"),
		.unix_s = 1795519666,
	};

	text_init(&out, buffer, sizeof(buffer));
	assert_int_equal(ip_addr_parse(BYTES("192.0.2.1"), &r.client), 0);
	return r;
}

static void tells_all_there_is(void **state)
{
	struct received r = sample();

	(void)state;
	r.client_name = BYTES("mail.example.com");
	r.tls_version = BYTES("TLSv1.3");
	r.tls_cipher = BYTES("TLS_AES_128_GCM_SHA256");
	r.protocol = BYTES("ESMTPS");
	r.recipient = BYTES("user@example.org");
	assert_int_equal(ip_addr_parse(BYTES("2001:db8::1"), &r.client), 0);
	received_put(&r, &out);
	assert_string_equal(text_str(&out),
		"Received: from client.example.com (mail.example.com [IPv6:2001:db8::1])\r\n"
		"\t(TLSv1.3, TLS_AES_128_GCM_SHA256)\r\n"
		"\tby mx.example.org with ESMTPS id 0123456789ABC\r\n"
		"\tfor <user@example.org>;\r\n"
		"\tTue, 24 Nov 2026 11:27:46 +0000\r\n");
}

static void leaves_out_what_is_not_known(void **state)
{
	struct received r = sample();

	(void)state;
	r.helo = BYTES("");
	received_put(&r, &out);
	assert_string_equal(text_str(&out), "Received: from unknown (unknown [192.0.2.1])\r\n"
					    "\tby mx.example.org with ESMTP id 0123456789ABC;\r\n"
					    "\tTue, 24 Nov 2026 11:27:46 +0000\r\n");
}

static void escapes_the_helo(void **state)
{
	struct received r = sample();

	(void)state;
	r.helo = BYTES("a (b)\r\nX: y;\x00\xff[192.0.2.1]");
	received_put(&r, &out);
	assert_true(bytes_starts(text_bytes(&out),
		BYTES("Received: from a+20+28b+29+0D+0AX:+20y+3B+00+FF[192.0.2.1] (unknown")));
}

static void an_odd_recipient_is_not_shown(void **state)
{
	struct received r = sample();

	(void)state;
	r.recipient = BYTES("a\r\nb@example.org");
	received_put(&r, &out);
	assert_int_equal(bytes_find_bytes(text_bytes(&out), BYTES("for")), BYTES_NPOS);
}

static void the_longest_fits(void **state)
{
	static char path[320];
	struct received r = sample();

	(void)state;
	memset(path, '(', sizeof(path));
	r.helo = r.client_name = r.recipient = bytes_of(path, sizeof(path));
	r.tls_version = BYTES("TLSv1.3");
	r.tls_cipher = BYTES("TLS_AES_128_GCM_SHA256");
	received_put(&r, &out);
	assert_false(out.overflow);
}

static void dates_across_leap_years(void **state)
{
	static const struct {
		uint64_t unix_s;
		const char *date;
	} samples[] = {
		{0, "\tThu, 1 Jan 1970 00:00:00 +0000\r\n"},
		{951782400, "\tTue, 29 Feb 2000 00:00:00 +0000\r\n"},
		{951868799, "\tTue, 29 Feb 2000 23:59:59 +0000\r\n"},
		{951868800, "\tWed, 1 Mar 2000 00:00:00 +0000\r\n"},
		{4107542400, "\tMon, 1 Mar 2100 00:00:00 +0000\r\n"},
		{1798761599, "\tThu, 31 Dec 2026 23:59:59 +0000\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct received r = sample();

		r.unix_s = samples[i].unix_s;
		received_put(&r, &out);
		assert_true(bytes_ends_nocase(text_bytes(&out), bytes_str(samples[i].date)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_all_there_is),
		cmocka_unit_test(leaves_out_what_is_not_known),
		cmocka_unit_test(escapes_the_helo),
		cmocka_unit_test(an_odd_recipient_is_not_shown),
		cmocka_unit_test(the_longest_fits),
		cmocka_unit_test(dates_across_leap_years),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
