#include "auth/dmarc/dmarc_walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static struct dmarc_record plain = {.found = true},
			   public_suffix = {.found = true, .psd = DMARC_PSD_YES},
			   org = {.found = true, .psd = DMARC_PSD_NO};

static void answer(struct dmarc_walk *walk, const char *domain, const struct dmarc_record *record)
{
	struct dns_answer found = {.outcome = DNS_OK, .parsed = record};
	struct dns_answer timeout = {.outcome = DNS_TIMEOUT};

	for (unsigned i = 0; i < walk->n; i++) {
		if (bytes_eq(walk->domain[i], bytes_str(domain))) {
			walk->open++;
			dmarc_walk_answer(walk, i, record ? &found : &timeout);
			return;
		}
	}
	fail_msg("%s is not on the walk", domain);
}

static void assert_org(const struct dmarc_walk *walk, const char *expected)
{
	struct bytes found = dmarc_walk_org(walk);

	if (!bytes_eq(found, bytes_str(expected)))
		fail_msg("%.*s instead of %s", BYTES_FMT(found), expected);
}

static void asks_at_most_eight_names_down_to_the_top_level(void **state)
{
	static const struct {
		const char *domain;
		unsigned n;
		const char *second;
	} cases[] = {
		{"com", 1, NULL},
		{"example.com", 2, "com"},
		{"a.b.c.d.e.f.com", 7, "b.c.d.e.f.com"},
		{"a.b.c.d.e.f.g.com", 8, "b.c.d.e.f.g.com"},
		{"a.b.c.d.e.f.g.h.com", 8, "c.d.e.f.g.h.com"},
		{"a.b.c.d.e.f.g.h.i.j.k.example.com", 8, "g.h.i.j.k.example.com"},
	};
	struct dmarc_walk walk;
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		dmarc_walk_init(&walk, bytes_str(cases[i].domain));
		assert_int_equal(walk.n, cases[i].n);
		assert_true(bytes_eq(walk.domain[0], bytes_str(cases[i].domain)));
		if (cases[i].second) {
			assert_true(bytes_eq(walk.domain[1], bytes_str(cases[i].second)));
			assert_true(bytes_eq(walk.domain[walk.n - 1], BYTES("com")));
		}
	}
	dmarc_walk_init(&walk, BYTES(""));
	assert_int_equal(walk.n, 0);
}

static void takes_the_shortest_name_with_a_record_for_the_organization(void **state)
{
	struct dmarc_walk walk;
	(void)state;

	dmarc_walk_init(&walk, BYTES("a.b.example.com"));
	assert_org(&walk, "a.b.example.com");
	answer(&walk, "a.b.example.com", &plain);
	assert_org(&walk, "a.b.example.com");
	answer(&walk, "example.com", &plain);
	assert_org(&walk, "example.com");
	assert_ptr_equal(dmarc_walk_record_at(&walk, BYTES("example.com")), &plain);
}

static void stops_at_psd_n(void **state)
{
	struct dmarc_walk walk;
	(void)state;

	dmarc_walk_init(&walk, BYTES("a.b.example.com"));
	answer(&walk, "example.com", &plain);
	answer(&walk, "com", NULL);
	assert_true(dmarc_walk_failed(&walk));
	answer(&walk, "b.example.com", &org);
	assert_org(&walk, "b.example.com");
	/* what lies above the end does not matter, nor that it failed */
	assert_false(dmarc_walk_failed(&walk));
	assert_null(dmarc_walk_record_at(&walk, BYTES("example.com")));
}

static void puts_the_organization_one_label_below_a_public_suffix(void **state)
{
	struct dmarc_walk walk;
	(void)state;

	dmarc_walk_init(&walk, BYTES("mail.giant.bank.example"));
	answer(&walk, "bank.example", &public_suffix);
	assert_org(&walk, "giant.bank.example");

	/* the label below was jumped over */
	dmarc_walk_init(&walk, BYTES("a.b.c.d.e.f.g.h.i.com"));
	answer(&walk, "d.e.f.g.h.i.com", &public_suffix);
	assert_org(&walk, "c.d.e.f.g.h.i.com");

	/* the start of the walk is no public suffix of itself */
	dmarc_walk_init(&walk, BYTES("bank.example"));
	answer(&walk, "bank.example", &public_suffix);
	assert_org(&walk, "bank.example");
}

static void discards_several_records_and_walks_on(void **state)
{
	struct dmarc_record several = {.several = true};
	struct dmarc_walk walk;
	(void)state;

	dmarc_walk_init(&walk, BYTES("a.example.com"));
	answer(&walk, "a.example.com", &several);
	answer(&walk, "example.com", &plain);
	assert_org(&walk, "example.com");
	assert_true(walk.several);
}

static void takes_over_what_another_walk_found(void **state)
{
	struct dmarc_walk author, id;
	(void)state;

	dmarc_walk_init(&author, BYTES("x.example.com"));
	answer(&author, "example.com", &plain);
	answer(&author, "com", NULL);
	dmarc_walk_init(&id, BYTES("y.example.com"));
	dmarc_walk_share(&id, &author);
	assert_false(id.known[0]);
	assert_true(id.known[1] && id.known[2] && id.failed[2]);
	assert_ptr_equal(id.record[1], &plain);
}

static void tells_what_is_below_a_domain(void **state)
{
	(void)state;
	assert_true(dmarc_walk_is_below(BYTES("a.example.com"), BYTES("example.com")));
	assert_false(dmarc_walk_is_below(BYTES("example.com"), BYTES("example.com")));
	assert_false(dmarc_walk_is_below(BYTES("notexample.com"), BYTES("example.com")));
	assert_false(dmarc_walk_is_below(BYTES("com"), BYTES("example.com")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_at_most_eight_names_down_to_the_top_level),
		cmocka_unit_test(takes_the_shortest_name_with_a_record_for_the_organization),
		cmocka_unit_test(stops_at_psd_n),
		cmocka_unit_test(puts_the_organization_one_label_below_a_public_suffix),
		cmocka_unit_test(discards_several_records_and_walks_on),
		cmocka_unit_test(takes_over_what_another_walk_found),
		cmocka_unit_test(tells_what_is_below_a_domain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
