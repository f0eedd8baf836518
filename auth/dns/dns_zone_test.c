#include "auth/dns/dns_zone.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct dns_zone *zone_of(const char *content)
{
	struct dns_zone *zone;
	struct text why;
	char reason[200];

	text_init(&why, reason, sizeof(reason));
	if (dns_zone_parse(bytes_str(content), "zone", &zone, &why) != 0)
		fail_msg("%s", text_str(&why));
	return zone;
}

/* An answer as text: the outcome, or the records in order. */
static void describe(
	const struct dns_zone *zone, enum dns_type type, const char *name, struct text *out)
{
	struct dns_question q;
	const struct dns_answer *answer;
	char addr[IP_ADDR_TEXT_MAX];

	text_reset(out);
	assert_true(dns_question_set(&q, type, DNS_USE_RAW, bytes_str(name)));
	answer = dns_zone_answer(zone, NULL, &q);
	assert_non_null(answer);
	if (answer->outcome != DNS_OK)
		text_printf(out, "%s", dns_outcome_word(answer->outcome));
	for (unsigned i = 0; i < answer->n; i++) {
		const struct dns_record *r = &answer->records[i];

		if (i > 0)
			text_putc(out, ' ');
		if (type == DNS_A || type == DNS_AAAA) {
			ip_addr_format(&r->addr, addr);
			text_printf(out, "%s", addr);
		} else if (type == DNS_TXT) {
			text_printf(out, "<%.*s>", BYTES_FMT(r->text));
		} else {
			if (type == DNS_MX)
				text_printf(out, "%u:", r->preference);
			text_put(out, r->name);
		}
	}
	dns_answer_release(answer);
}

static void expect(
	const struct dns_zone *zone, enum dns_type type, const char *name, const char *what)
{
	char buffer[4096];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	describe(zone, type, name, &text);
	assert_string_equal(text_str(&text), what);
}

static void answers_every_type(void **state)
{
	struct dns_zone *zone = zone_of("Example.org. 60 IN A 192.0.2.1\n"
					"example.org. 60 IN A 192.0.2.2\n"
					"example.org. 60 IN AAAA 2001:db8::1\n"
					"example.org. 60 IN MX 10 Mail.example.org.\n"
					"example.org. 60 IN MX 20 .\n"
					"example.org. 60 IN TXT \"v=spf1 \" \"-all\"\n"
					"example.org. 60 IN TXT bare\n"
					"1.2.0.192.in-addr.arpa. 60 IN PTR host.example.org.\n"
					"example.org. 60 IN SOA a. b. 1 2 3 4 5\n");

	(void)state;
	expect(zone, DNS_A, "EXAMPLE.org", "192.0.2.1 192.0.2.2");
	expect(zone, DNS_AAAA, "example.org", "2001:db8::1");
	expect(zone, DNS_MX, "example.org", "10:mail.example.org 20:");
	expect(zone, DNS_TXT, "example.org", "<v=spf1 -all> <bare>");
	expect(zone, DNS_PTR, "1.2.0.192.in-addr.arpa", "host.example.org");
	expect(zone, DNS_PTR, "example.org", "nodata");
	expect(zone, DNS_A, "example.com", "nxdomain");
	dns_zone_free(zone);
}

static void tells_absent_names_from_empty_ones(void **state)
{
	struct dns_zone *zone = zone_of("a.b.example.org. 60 IN A 192.0.2.1\n");

	(void)state;
	expect(zone, DNS_A, "b.example.org", "nodata");
	expect(zone, DNS_A, "org", "nodata");
	expect(zone, DNS_A, "example.or", "nxdomain");
	expect(zone, DNS_A, "c.b.example.org", "nxdomain");
	expect(zone, DNS_A, "x.a.b.example.org", "nxdomain");
	expect(zone, DNS_A, "xa.b.example.org", "nxdomain");
	dns_zone_free(zone);
}

/* The example of RFC 4592 §2.2.1. */
static void wildcards_as_in_rfc_4592(void **state)
{
	struct dns_zone *zone = zone_of("*.example. 60 IN TXT \"wild\"\n"
					"*.example. 60 IN MX 10 host1.example.\n"
					"sub.*.example. 60 IN TXT \"not wild\"\n"
					"host1.example. 60 IN A 192.0.2.1\n"
					"_ssh._tcp.host1.example. 60 IN TXT \"srv\"\n");

	(void)state;
	expect(zone, DNS_MX, "host3.example", "10:host1.example");
	expect(zone, DNS_A, "host3.example", "nodata");
	expect(zone, DNS_TXT, "foo.bar.example", "<wild>");
	expect(zone, DNS_MX, "host1.example", "nodata");
	expect(zone, DNS_MX, "sub.*.example", "nodata");
	expect(zone, DNS_TXT, "_telnet._tcp.host1.example", "nxdomain");
	expect(zone, DNS_TXT, "host.sub.*.example", "nxdomain");
	expect(zone, DNS_TXT, "x.*.example", "nxdomain");
	expect(zone, DNS_TXT, "*.example", "<wild>");
	dns_zone_free(zone);
}

static void follows_cnames_to_an_end(void **state)
{
	struct dns_zone *zone = zone_of("a.org. 60 IN CNAME b.org.\n"
					"b.org. 60 IN CNAME w.c.org.\n"
					"*.c.org. 60 IN A 192.0.2.1\n"
					"gone.org. 60 IN CNAME nowhere.org.\n"
					"x.org. 60 IN CNAME y.org.\n"
					"y.org. 60 IN CNAME x.org.\n"
					"*.w.org. 60 IN CNAME *.v.org.\n"
					"*.v.org. 60 IN TXT \"v\"\n");

	(void)state;
	expect(zone, DNS_A, "a.org", "192.0.2.1");
	expect(zone, DNS_AAAA, "a.org", "nodata");
	expect(zone, DNS_A, "gone.org", "nxdomain");
	expect(zone, DNS_A, "x.org", "servfail");
	expect(zone, DNS_TXT, "some.w.org", "<v>");
	dns_zone_free(zone);
}

static void failures_are_for_one_type_and_go_before_records(void **state)
{
	struct dns_zone *zone = zone_of("a.org. 60 IN A 192.0.2.1\n"
					"a.org. 60 IN TIMEOUT TXT\n"
					"a.org. 60 in servfail MX\n"
					"a.org. 60 IN MX 10 b.org.\n"
					"*.w.org. 60 IN TIMEOUT A\n"
					"c.org. 60 IN CNAME a.org.\n"
					"servfail.org. 60 IN TXT SERVFAIL\n");

	(void)state;
	expect(zone, DNS_A, "a.org", "192.0.2.1");
	expect(zone, DNS_TXT, "a.org", "timeout");
	expect(zone, DNS_MX, "a.org", "servfail");
	expect(zone, DNS_AAAA, "a.org", "nodata");
	expect(zone, DNS_A, "x.w.org", "timeout");
	expect(zone, DNS_TXT, "c.org", "timeout");
	expect(zone, DNS_TXT, "servfail.org", "<SERVFAIL>");
	dns_zone_free(zone);
}

static void reads_the_forms_of_a_master_file(void **state)
{
	struct dns_zone *zone = zone_of("; a comment\r\n"
					"\n"
					"$TTL 30\n"
					"a.org. IN TXT ( \"one; two\" ; why\r\n"
					"   \" (three)\" )\n"
					"\t60 IN TXT \"same name\"\n"
					"b\\.c.org. IN A 192.0.2.1\n"
					"sp\\032ace.org. IN A 192.0.2.2\n"
					"par\\(en.org 5 IN A 192.0.2.3\n"
					"q.org. IN TXT \"a\\\"b\\\\c\\255\" \"\" x\\;y\n"
					"last.org. IN A 192.0.2.4");

	(void)state;
	expect(zone, DNS_TXT, "a.org", "<one; two (three)> <same name>");
	expect(zone, DNS_A, "b.c.org", "nxdomain");
	expect(zone, DNS_A, "sp ace.org", "192.0.2.2");
	expect(zone, DNS_A, "par(en.org", "192.0.2.3");
	expect(zone, DNS_TXT, "q.org", "<a\"b\\c\xffx;y>");
	expect(zone, DNS_A, "last.org", "192.0.2.4");
	dns_zone_free(zone);
}

static uint32_t ttl_of(const struct dns_zone *zone, const char *name)
{
	struct dns_question q;
	const struct dns_answer *answer;
	uint32_t ttl_s;

	assert_true(dns_question_set(&q, DNS_A, DNS_USE_RAW, bytes_str(name)));
	answer = dns_zone_answer(zone, NULL, &q);
	ttl_s = answer->ttl_s;
	dns_answer_release(answer);
	return ttl_s;
}

static void the_ttl_is_the_least_along_the_way(void **state)
{
	struct dns_zone *zone = zone_of("a.org. 600 IN A 192.0.2.1\n"
					"b.org. IN A 192.0.2.1\n"
					"c.org. 20 IN CNAME a.org.\n"
					"d.org. 5 IN CNAME none.org.\n");

	(void)state;
	assert_int_equal(ttl_of(zone, "a.org"), 600);
	assert_int_equal(ttl_of(zone, "b.org"), 3600);
	assert_int_equal(ttl_of(zone, "c.org"), 20);
	assert_int_equal(ttl_of(zone, "d.org"), 5);
	dns_zone_free(zone);
}

static void long_texts_fit(void **state)
{
	char *content = malloc(65536), *expected = malloc(65536);
	struct text line;
	struct dns_zone *zone;
	struct dns_question q;
	const struct dns_answer *answer;

	(void)state;
	text_init(&line, content, 65536);
	text_printf(&line, "a.org. 60 IN TXT");
	for (int i = 0; i < 100; i++)
		text_printf(&line, " \"%0250d\"", i);
	zone = zone_of(text_str(&line));
	dns_question_set(&q, DNS_TXT, DNS_USE_RAW, BYTES("a.org"));
	answer = dns_zone_answer(zone, NULL, &q);
	assert_int_equal(answer->records[0].text.len, 25000);
	dns_answer_release(answer);
	dns_zone_free(zone);
	free(content);
	free(expected);
}

static void says_file_line_and_reason(void **state)
{
	static const struct {
		const char *content, *where;
	} wrong[] = {
		{"a.org. 60 IN A 192.0.2.1\n\nb.org. 60 IN A 192.0.2\n", "zone:3: "},
		{"\"", "zone:1: a string is not closed"},
		{"a.org. 60 IN TXT \"x\n", "zone:1: a string is not closed"},
		{"\n\na.org. 60 IN TXT ( x\n\n", "zone:3: '(' is not closed"},
		{"a.org. 60 IN TXT x )\n", "zone:1: ')' without '('"},
		{"a.org. 60 IN SERVFAIL NONSENSE\n", "zone:1: unknown type"},
		{"a.org. x IN TIMEOUT A\n", "zone:1: that is no TTL"},
		{"a..org. 1 IN TIMEOUT A\n", "zone:1: that is no name"},
		{"$ORIGIN org.\n", "zone:1: only $TTL is known: names are absolute"},
		{"$TTL x\n", "zone:1: $TTL takes a number of seconds"},
		{" 60 IN A 192.0.2.1\n", "zone:1: no name stands before this line"},
		{"a.org. 60 CH A 192.0.2.1\n", "zone:1: "},
		{"a.org. 60 IN MX 10\n", "zone:1: "},
		{"a.org. 60 IN MX 10 b\\.c.org.\n",
			"zone:1: a label with a dot in it has no use here"},
		{"a.org.", "zone:1: "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct dns_zone *zone = NULL;
		struct text why;
		char reason[200];

		text_init(&why, reason, sizeof(reason));
		if (dns_zone_parse(bytes_str(wrong[i].content), "zone", &zone, &why) != -EINVAL)
			fail_msg("taken: %s", wrong[i].content);
		if (!bytes_starts(text_bytes(&why), bytes_str(wrong[i].where)))
			fail_msg("%s: %s", wrong[i].content, text_str(&why));
	}
}

static void loads_a_file_and_says_when_it_cannot(void **state)
{
	char path[] = "/tmp/postern-zone-XXXXXX", reason[200];
	int fd = mkstemp(path);
	struct dns_zone *zone;
	struct text why;

	(void)state;
	text_init(&why, reason, sizeof(reason));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "a.org. 60 IN A 192.0.2.1\n", 25), 25);
	close(fd);
	assert_int_equal(dns_zone_load(path, &zone, &why), 0);
	expect(zone, DNS_A, "a.org", "192.0.2.1");
	dns_zone_free(zone);
	unlink(path);
	assert_int_equal(dns_zone_load(path, &zone, &why), -ENOENT);
	assert_true(bytes_starts(text_bytes(&why), bytes_str(path)));
	assert_int_equal(dns_zone_load("/", &zone, &why), -EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_every_type),
		cmocka_unit_test(tells_absent_names_from_empty_ones),
		cmocka_unit_test(wildcards_as_in_rfc_4592),
		cmocka_unit_test(follows_cnames_to_an_end),
		cmocka_unit_test(failures_are_for_one_type_and_go_before_records),
		cmocka_unit_test(reads_the_forms_of_a_master_file),
		cmocka_unit_test(the_ttl_is_the_least_along_the_way),
		cmocka_unit_test(long_texts_fit),
		cmocka_unit_test(says_file_line_and_reason),
		cmocka_unit_test(loads_a_file_and_says_when_it_cannot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
