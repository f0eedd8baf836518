#include "auth/trace_format.h"

#include "base/ip_addr.h"
#include "base/testing.h"

static uint8_t record[4096];
static char words[65536];
static struct trace_writer w;
static struct text out;

static void begin(size_t cap)
{
	trace_begin(&w, record, cap);
	text_init(&out, words, sizeof(words));
}

static void put_ask(unsigned number, const char *type, const char *name)
{
	trace_event(&w, TRACE_ASK, 5);
	trace_number(&w, number);
	trace_word(&w, type);
	trace_word(&w, name);
	trace_end_event(&w);
}

static void put_answer(unsigned number, const char *outcome, unsigned secure)
{
	trace_event(&w, TRACE_ANSWER, 300);
	trace_number(&w, number);
	trace_word(&w, outcome);
	trace_number(&w, secure);
	trace_number(&w, 60);
}

static void put_mail(void)
{
	struct ip_addr addr;

	assert_int_equal(ip_addr_parse(BYTES("192.0.2.1"), &addr), 0);
	trace_event(&w, TRACE_CLIENT, TRACE_NO_TIME);
	trace_octets(&w, bytes_of(&addr, sizeof(addr)));
	trace_octets(&w, BYTES("a\nb\xc3\xa4"));
	trace_end_event(&w);
	put_ask(0, "TXT", "example.org");
	put_ask(7, "A", "mx.example.org");
	put_answer(0, "ok", 1);
	trace_word(&w, "v=spf1 \"-all\"");
	trace_end_event(&w);
	put_answer(7, "ok", 0);
	trace_octets(&w, bytes_of(&addr, sizeof(addr)));
	trace_octets(&w, bytes_of(&addr, sizeof(addr)));
	trace_end_event(&w);
	trace_event(&w, TRACE_DKIM, 1234567);
	trace_word(&w, "sel");
	trace_word(&w, "example.org");
	trace_word(&w, "pass");
	trace_word(&w, "");
	trace_number(&w, 8);
	trace_end_event(&w);
	trace_event(&w, TRACE_DECIDED, 1234568);
	trace_word(&w, "accept");
	trace_word(&w, "");
	trace_word(&w, "");
	trace_end_event(&w);
}

static void tells_a_mail_in_lines(void **state)
{
	(void)state;
	begin(sizeof(record));
	put_mail();
	trace_format_text(trace_record(&w), &out);
	assert_string_equal(text_str(&out),
		"client [192.0.2.1] helo a\\x0ab\\xc3\\xa4\n"
		"+5 ask TXT example.org\n"
		"+5 ask A mx.example.org\n"
		"+300 answer TXT example.org ok secure \"v=spf1 \\\"-all\\\"\"\n"
		"+300 answer A mx.example.org ok 192.0.2.1 192.0.2.1\n"
		"+1234567 dkim verified sel.example.org: pass, 8 keys side "
		"by side\n"
		"+1234568 decided: accept\n");
}

static void tells_a_mail_in_json(void **state)
{
	(void)state;
	begin(sizeof(record));
	put_mail();
	trace_format_json(trace_record(&w), &out);
	assert_string_equal(text_str(&out),
		"[{\"event\":\"client\",\"address\":\"192.0.2.1\",\"helo\":\"a\\u000ab\xc3\xa4\"},"
		"{\"at_us\":5,\"event\":\"ask\",\"question\":0,\"type\":\"TXT\",\"name\":"
		"\"example.org\"},"
		"{\"at_us\":5,\"event\":\"ask\",\"question\":7,\"type\":\"A\",\"name\":"
		"\"mx.example.org\"},"
		"{\"at_us\":300,\"event\":\"answer\",\"question\":0,\"outcome\":\"ok\",\"secure\":"
		"1,"
		"\"ttl_s\":60,\"type\":\"TXT\",\"name\":\"example.org\",\"records\":[\"v=spf1 "
		"\\\"-all\\\"\"]},"
		"{\"at_us\":300,\"event\":\"answer\",\"question\":7,\"outcome\":\"ok\",\"secure\":"
		"0,"
		"\"ttl_s\":60,\"type\":\"A\",\"name\":\"mx.example.org\",\"records\":["
		"\"192.0.2.1\",\"192.0.2.1\"]},"
		"{\"at_us\":1234567,\"event\":\"dkim_verified\",\"selector\":\"sel\",\"domain\":"
		"\"example.org\",\"result\":\"pass\",\"reason\":\"\",\"batch\":8},"
		"{\"at_us\":1234568,\"event\":\"decided\",\"action\":\"accept\",\"reason\":\"\","
		"\"override\":\"\"}]");
}

static void a_record_of_text_is_told_as_it_is(void **state)
{
	(void)state;
	begin(0);
	trace_format_text(BYTES("bounce of X\nfor \xffY\\xff\n"), &out);
	assert_string_equal(text_str(&out), "bounce of X\nfor \\xffY\\\\xff\n");
	text_reset(&out);
	trace_format_json(BYTES("bounce\n"), &out);
	assert_string_equal(text_str(&out), "[{\"event\":\"note\",\"text\":\"bounce\\u000a\"}]");
}

static void an_event_that_does_not_fit_leaves_nothing_behind(void **state)
{
	(void)state;
	for (size_t cap = 0; cap < 200; cap++) {
		size_t before;

		begin(cap);
		put_ask(0, "TXT", "a.example");
		before = w.len;
		put_ask(1, "TXT", "a-very-much-longer-name-than-the-other-one.example");
		assert_true(w.lost > 0 ? w.len <= cap : w.len > before);
		trace_format_text(trace_record(&w), &out);
		unsigned lines = 0;
		for (size_t i = 0; i < out.len; i++)
			lines += out.data[i] == '\n';
		assert_int_equal(lines + w.lost, cap == 0 ? w.lost : 2);
	}
}

static void cut_and_random_records_are_read_to_some_end(void **state)
{
	uint64_t random = test_seed(20261124);

	(void)state;
	begin(sizeof(record));
	put_mail();
	size_t len = w.len;
	for (size_t cut = 0; cut <= len; cut++) {
		text_reset(&out);
		trace_format_text(bytes_of(record, cut), &out);
		trace_format_json(bytes_of(record, cut), &out);
	}
	for (unsigned i = 0; i < 20000; i++) {
		uint8_t copy[512];
		size_t n = len < sizeof(copy) ? len : sizeof(copy);

		memcpy(copy, record, n);
		for (unsigned k = 0; k < 4; k++)
			copy[1 + test_random(&random) % (n - 1)] = (uint8_t)test_random(&random);
		text_reset(&out);
		trace_format_text(bytes_of(copy, n), &out);
		trace_format_json(bytes_of(copy, n), &out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_a_mail_in_lines),
		cmocka_unit_test(tells_a_mail_in_json),
		cmocka_unit_test(a_record_of_text_is_told_as_it_is),
		cmocka_unit_test(an_event_that_does_not_fit_leaves_nothing_behind),
		cmocka_unit_test(cut_and_random_records_are_read_to_some_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
