/* Every validation case of the outside suite, apart from the disputed ones, however the mail is
 * portioned. */
#include "auth/arc/arc_harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <yaml.h>

#include <cmocka.h>

/* 171 names, four of them twice (which a reader into a dictionary would lose), five disputed. */
#define EXPECTED_CASES 170

static const char *const disputed[] = {"as_format_tags_sc", "as_format_tags_dup",
	"as_format_tags_key_case", "as_format_inv_tag_key", "ams_fields_h_empty"};

static struct arc_verifier *arc;

/* --- the suite's YAML ------------------------------------------------------------------------ */

static const char *scalar(yaml_document_t *doc, int node)
{
	yaml_node_t *n = yaml_document_get_node(doc, node);
	return n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : "";
}

/* Index of a mapping's value; 0 where there is none. */
static int value_of(yaml_document_t *doc, yaml_node_t *mapping, const char *key)
{
	for (yaml_node_pair_t *p = mapping->data.mapping.pairs.start;
		p < mapping->data.mapping.pairs.top; p++)
		if (strcmp(scalar(doc, p->key), key) == 0)
			return p->value;
	return 0;
}

static struct dns_zone *make_zone(yaml_document_t *doc, yaml_node_t *records)
{
	static char content[65536];
	char why[256];
	struct text zone, reason;
	struct dns_zone *out;

	text_init(&zone, content, sizeof(content));
	text_init(&reason, why, sizeof(why));
	for (yaml_node_pair_t *p = records->data.mapping.pairs.start;
		p < records->data.mapping.pairs.top; p++) {
		text_printf(&zone, "%s. 60 IN TXT", scalar(doc, p->key));
		for (struct bytes rest = bytes_str(scalar(doc, p->value)); rest.len;
			rest = bytes_from(rest, 200))
			text_printf(&zone, " \"%.*s\"", BYTES_FMT(bytes_slice(rest, 0, 200)));
		text_putc(&zone, '\n');
	}
	assert_false(zone.overflow);
	if (dns_zone_parse(text_bytes(&zone), "zone", &out, &reason) < 0)
		fail_msg("%s", text_str(&reason));
	return out;
}

static struct bytes with_crlf(const char *text)
{
	uint8_t *out = malloc(2 * strlen(text) + 1);
	size_t n = 0;
	for (; *text; text++) {
		if (*text == '\n')
			out[n++] = '\r';
		out[n++] = (uint8_t)*text;
	}
	return bytes_of(out, n);
}

static enum auth_result expected_of(const char *cv)
{
	return strncasecmp(cv, "pass", 4) == 0   ? AUTH_PASS
	       : strncasecmp(cv, "none", 4) == 0 ? AUTH_NONE
						 : AUTH_FAIL;
}

static bool is_disputed(const char *name)
{
	for (size_t i = 0; i < sizeof(disputed) / sizeof(disputed[0]); i++)
		if (strcmp(name, disputed[i]) == 0)
			return true;
	return false;
}

static unsigned n_wrong;

static void run_case(struct dkim_harness *h, const char *name, const char *message, const char *cv)
{
	struct bytes mail = with_crlf(message);
	const char *reason = NULL;
	for (int run = 0; run < 3; run++) {
		h->portion = run ? 1 + 12 * ((size_t)run - 1) : 0;
		h->keys_last = run == 2;
		dkim_harness_run(h, mail);
		assert_true(arc_verifier_done(arc));
		const char *got = arc_verifier_reason(arc);
		if (arc_verifier_result(arc) != expected_of(cv) || (run && got != reason)) {
			print_error("%s (run %d): expected %s, got %s (%s)\n", name, run, cv,
				auth_result_word(arc_verifier_result(arc)), got ? got : "");
			n_wrong++;
		}
		reason = got;
	}
	free((void *)(uintptr_t)mail.data);
}

static unsigned run_document(yaml_document_t *doc)
{
	yaml_node_t *root = yaml_document_get_root_node(doc);
	yaml_node_t *tests = yaml_document_get_node(doc, value_of(doc, root, "tests"));
	yaml_node_t *records = yaml_document_get_node(doc, value_of(doc, root, "txt-records"));
	struct dns_zone *zone = make_zone(doc, records);
	struct dkim_harness h;
	unsigned n = 0;

	dkim_harness_init(&h, zone);
	h.hooks = &arc_harness_hooks;
	h.ctx = &arc;
	for (yaml_node_pair_t *p = tests->data.mapping.pairs.start;
		p < tests->data.mapping.pairs.top; p++) {
		yaml_node_t *test = yaml_document_get_node(doc, p->value);
		if (is_disputed(scalar(doc, p->key)))
			continue;
		run_case(&h, scalar(doc, p->key), scalar(doc, value_of(doc, test, "message")),
			scalar(doc, value_of(doc, test, "cv")));
		n++;
	}
	dkim_harness_fini(&h);
	dns_zone_free(zone);
	return n;
}

static void suite_gives_the_expected_results(void **state)
{
	FILE *file = *state ? fopen(*state, "rb") : NULL;
	yaml_parser_t parser;
	yaml_document_t doc;
	unsigned n = 0;

	if (!file)
		skip();
	yaml_parser_initialize(&parser);
	yaml_parser_set_input_file(&parser, file);
	while (yaml_parser_load(&parser, &doc) && yaml_document_get_root_node(&doc)) {
		n += run_document(&doc);
		yaml_document_delete(&doc);
	}
	yaml_parser_delete(&parser);
	fclose(file);
	assert_int_equal(n_wrong, 0);
	assert_int_equal(n, EXPECTED_CASES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(
			suite_gives_the_expected_results, (void *)(uintptr_t)getenv("ARC_SUITE")),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
