#include "auth/message/mailbox.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define BLOCKS 16

static struct slab slab;
static struct arena arena;

static int set_up(void **state)
{
	(void)state;
	if (slab_init(&slab, ARENA_BLOCK_SIZE, BLOCKS) != 0)
		return -1;
	arena_init(&arena, &slab, BLOCKS);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	slab_fini(&slab);
	return 0;
}

static const char *const status_words[] = {[MAILBOX_OK] = "",
	[MAILBOX_NONE] = "none",
	[MAILBOX_MALFORMED] = "malformed",
	[MAILBOX_TOO_MANY] = "too many"};

struct sample {
	const char *from;
	const char *domains; /* parted by blanks, or what is the matter */
};

static void check_one(struct bytes from, const char *expected, const char *shown)
{
	struct mailbox_domains domains;
	char buffer[1024];
	struct text text;
	enum mailbox_status status = mailbox_domains_parse(from, &arena, &domains);

	text_init(&text, buffer, sizeof(buffer));
	text_put(&text, bytes_str(status_words[status]));
	for (unsigned i = 0; status == MAILBOX_OK && i < domains.n; i++) {
		if (i > 0)
			text_putc(&text, ' ');
		text_put(&text, domains.domain[i]);
	}
	if (!bytes_eq(text_bytes(&text), bytes_str(expected)))
		fail_msg("%s\n  gives `%s`, not `%s`", shown, text_str(&text), expected);
	arena_reset(&arena);
}

static void check(const struct sample *samples, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		/* In memory of its own length, so that a sanitizer sees a step outside. */
		size_t len = strlen(samples[i].from);
		uint8_t *copy = malloc(len ? len : 1);

		memcpy(copy, samples[i].from, len);
		check_one(bytes_of(copy, len), samples[i].domains, samples[i].from);
		free(copy);
	}
}
#define CHECK(samples) check(samples, sizeof(samples) / sizeof((samples)[0]))

static void reads_the_forms_of_rfc_5322(void **state)
{
	static const struct sample samples[] = {
		{" a@example.org", "example.org"},
		{" <a@example.org>", "example.org"},
		{" John Q. Public <a@Example.ORG>", "example.org"},
		{" \"Joe (x) @ <y>\" <a@example.org>", "example.org"},
		{" \"a b\"@example.org", "example.org"},
		{"\r\n a@example.org", "example.org"},
		{" Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "silly.test"},
		{" a@x.org, B <b@y.org>, c@X.ORG", "x.org y.org"},
		{" A Group(Some people): Chris <c@(x)one.org>, j@two.org;", "one.org two.org"},
		{" Undisclosed recipients:;", "none"},
		{" <@a.org,@b.org:joe@c.org>", "c.org"},
		{" john . public @ example . org", "example.org"},
		{" a@[192.0.2.1]", "none"},
		{" ,a@x.org, ,b@x.org,", "x.org"},
		{" a@x_y.org.", "x_y.org"},
		{"", "none"},
		{" <>", "none"},
		{" nobody", "none"},
	};

	(void)state;
	CHECK(samples);
}

static void a_display_name_never_passes_for_an_address(void **state)
{
	static const struct sample samples[] = {
		{" \"ceo@victim.org\" <a@evil.org>", "evil.org"},
		{" ceo@victim.org <a@evil.org>", "evil.org"},
		{" ceo@victim.org via x@y.org <a@evil.org>", "evil.org"},
		{" \"ceo@victim.org\\\" <ceo@victim.org>, \\\"\" <a@evil.org>", "evil.org"},
		{" =?utf-8?q?ceo=40victim.org?= <a@evil.org>", "evil.org"},
		{" =?utf-8?b?Y2VvQHZpY3RpbS5vcmc=?= <a@evil.org>", "evil.org"},
		{" =?utf-8?q?Foo,_Inc.?= <a@evil.org>", "evil.org"},
		{" =?utf-8?q?=22ceo=40victim.org=22?=\r\n =?utf-8?q?_x?= <a@evil.org>", "evil.org"},
		{" (ceo@victim.org) a@evil.org", "evil.org"},
		{" a@evil.org (<ceo@victim.org>)", "evil.org"},
		{" a(@victim.org)@evil.org", "evil.org"},
		{" <@victim.org:a@evil.org>", "evil.org"},
		{" \"a@victim.org\"@evil.org", "evil.org"},
		{" Smith, John <a@evil.org>", "evil.org"},
		{" [List] John <a@evil.org>", "evil.org"},
		{" \xe4\xf6 <a@evil.org>", "evil.org"},
		{" \"ceo@victim.org\" <>", "none"},
	};

	(void)state;
	CHECK(samples);
}

static void what_could_be_read_in_two_ways_is_malformed_or_several(void **state)
{
	static const struct sample samples[] = {
		{" a@evil.org, ceo@victim.org", "evil.org victim.org"},
		{" a@evil.org; ceo@victim.org", "evil.org victim.org"},
		{" ceo@victim.org, <a@evil.org>", "victim.org evil.org"},
		{" =?a?q?x,ceo@victim.org,?= <a@evil.org>", "victim.org evil.org"},
		{" <a@evil.org> <ceo@victim.org>", "malformed"},
		{" <a@evil.org> ceo@victim.org", "malformed"},
		{" <a@evil.org><ceo@victim.org>", "malformed"},
		{" =?a?q?<ceo@victim.org>?= <a@evil.org>", "malformed"},
		{" a@evil.org@victim.org", "malformed"},
		{" <a@evil.org@victim.org>", "malformed"},
		{" a@evil.org ceo@victim.org", "malformed"},
		{" a@evil.org victim.org", "malformed"},
		{" a@[192.0.2.1], ceo@victim.org", "malformed"},
		{" a@[192.0.2.1].victim.org", "malformed"},
		{" a@\"victim.org\"", "malformed"},
		{" a@=?utf-8?q?victim?=.org", "malformed"},
		{" \"a@evil.org", "malformed"},
		{" (a@evil.org", "malformed"},
		{" <a@evil.org", "malformed"},
		{" a@evil.org>", "malformed"},
		{" <<a@evil.org>>", "malformed"},
		{" <@victim.org>", "malformed"},
		{" @victim.org", "malformed"},
		{" a@", "malformed"},
		{" a@.org", "malformed"},
		{" a@evil..org", "malformed"},
		{" a@evil!org", "malformed"},
		{" a\\@victim.org", "malformed"},
		{" g: h: a@b.org;;", "malformed"},
		{" a@b.org\x01", "malformed"},
		{" a@b.org\n c@d.org", "malformed"},
		{" a@b.org\rx", "malformed"},
		{" \"a\r\nb\" <a@b.org>", "malformed"},
	};

	(void)state;
	CHECK(samples);
	check_one(bytes_of(" a@b.org\0@c.org", 15), "malformed", "NUL");
	check_one(bytes_of(" \"\0\" <a@b.org>", 14), "malformed", "quoted NUL");
}

static void groups_count_their_members(void **state)
{
	static const struct sample samples[] = {
		{" g: a@b.org", "b.org"}, /* the end of the field closes it */
		{" g: a@b.org;, c@d.org", "b.org d.org"},
		{" \"x@y.org\": a@b.org;", "b.org"},
		{" a@b.org: c@d.org;", "malformed"},
		{" : a@b.org;", "malformed"},
	};

	(void)state;
	CHECK(samples);
}

static void u_labels_become_a_labels(void **state)
{
	static const struct sample samples[] = {
		{" a@b\xc3\xbc"
		 "cher.example",
			"xn--bcher-kva.example"},
		{" a@B\xc3\x9c"
		 "cher.example, b@xn--bcher-kva.EXAMPLE",
			"xn--bcher-kva.example"},
		{" j\xc3\xb6rg@example.org", "example.org"},
		/* the ideographic full stop is a dot to UTS 46 */
		{" a@example\xe3\x80\x82org", "example.org"},
		{" a@\xff\xfe.org", "malformed"},
		{" a@b\xc3.org", "malformed"},
		/* a full-width @ is none */
		{" a\xef\xbc\xa0victim.org", "none"},
	};

	(void)state;
	CHECK(samples);
}

static void comments_nest_to_a_bound(void **state)
{
	char from[128];
	struct text text;

	(void)state;
	for (unsigned depth = 16; depth <= 17; depth++) {
		text_init(&text, from, sizeof(from));
		for (unsigned i = 0; i < depth; i++)
			text_putc(&text, '(');
		for (unsigned i = 0; i < depth; i++)
			text_putc(&text, ')');
		text_put(&text, BYTES("a@b.org"));
		check_one(text_bytes(&text), depth == 16 ? "b.org" : "malformed", text_str(&text));
	}
}

static void domains_and_addresses_are_bounded(void **state)
{
	static char from[8192];
	struct text text;

	(void)state;
	text_init(&text, from, sizeof(from));
	for (unsigned i = 0; i < MAILBOX_MAX_DOMAINS + 1; i++)
		text_printf(&text, "a@d%u.org,", i);
	check_one(text_bytes(&text), "too many", "nine domains");
	text_reset(&text);
	for (unsigned i = 0; i < 256; i++)
		text_put(&text, BYTES("a@d.org,"));
	check_one(text_bytes(&text), "d.org", "256 addresses");
	text_put(&text, BYTES("a@d.org"));
	check_one(text_bytes(&text), "too many", "257 addresses");
	text_reset(&text);
	text_put(&text, BYTES("a@"));
	for (unsigned i = 0; i < 2000; i++)
		text_putc(&text, 'x');
	check_one(text_bytes(&text), "malformed", "a long domain");
}

static void a_domain_in_its_form_already_is_not_copied(void **state)
{
	struct bytes domain = BYTES("example.org"), out;

	(void)state;
	assert_true(mailbox_domain_to_ascii(domain, NULL, &out));
	assert_ptr_equal(out.data, domain.data);
	assert_false(mailbox_domain_to_ascii(BYTES("a b"), NULL, &out));
	assert_false(mailbox_domain_to_ascii(BYTES(""), NULL, &out));
	assert_false(mailbox_domain_to_ascii(BYTES("."), NULL, &out));
}

/* libidn2 takes octets that no host name has; what it made of them is gone by then. */
static void what_is_no_domain_leaves_no_name_behind(void **state)
{
	static const char *const names[] = {"e<xample.\xe3\x91\x8f", "\xc3\xa4 b", "\xc3\xa4..b"};
	struct bytes out = BYTES("as it was"), before = out;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_false(mailbox_domain_to_ascii(bytes_str(names[i]), &arena, &out));
		assert_ptr_equal(out.data, before.data);
		assert_int_equal(out.len, before.len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_forms_of_rfc_5322),
		cmocka_unit_test(a_display_name_never_passes_for_an_address),
		cmocka_unit_test(what_could_be_read_in_two_ways_is_malformed_or_several),
		cmocka_unit_test(groups_count_their_members),
		cmocka_unit_test(u_labels_become_a_labels),
		cmocka_unit_test(comments_nest_to_a_bound),
		cmocka_unit_test(domains_and_addresses_are_bounded),
		cmocka_unit_test(a_domain_in_its_form_already_is_not_copied),
		cmocka_unit_test(what_is_no_domain_leaves_no_name_behind),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
