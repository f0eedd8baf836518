#include "auth/dkim/dkim_canon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct out {
	size_t n;
	uint8_t data[1 << 16];
};

static void append(void *sink, struct bytes piece)
{
	struct out *out = sink;
	assert_true(out->n + piece.len <= sizeof(out->data));
	if (piece.len)
		memcpy(out->data + out->n, piece.data, piece.len);
	out->n += piece.len;
}

/* --- fields ---------------------------------------------------------------------------------- */

struct field_case {
	const char *raw, *cut, *relaxed; /* `cut` is found in `raw` */
};

static const struct field_case field_cases[] = {
	/* RFC 6376 §3.4.5 */
	{"A: X", NULL, "a:X"},
	{"B : Y\t\r\n\tZ  ", NULL, "b:Y Z"},
	{"Subject:\r\n folded at once", NULL, "subject:folded at once"},
	{"Empty:", NULL, "empty:"},
	{"Empty: \t ", NULL, "empty:"},
	{"X:a\r\n\r\n b", NULL, "x:a b"},
	{"X: a\rb\nc", NULL, "x:a\rb\nc"},
	{"SuBJect \t:  a  b\t\tc ", NULL, "subject:a b c"},
	{"no colon at all", NULL, "no colon at all"},
	{"Sig: a=1; b=\r\n xyz ;c=2", "\r\n xyz ", "sig:a=1; b=;c=2"},
	{"Sig: a=1; b= xyz", " xyz", "sig:a=1; b="},
};

static void canonicalizes_fields(void **state)
{
	static struct out out;
	(void)state;
	for (size_t i = 0; i < sizeof(field_cases) / sizeof(field_cases[0]); i++) {
		const struct field_case *c = &field_cases[i];
		struct bytes raw = bytes_str(c->raw), cut = {NULL, 0};
		if (c->cut)
			cut = bytes_slice(
				raw, bytes_find_bytes(raw, bytes_str(c->cut)), strlen(c->cut));
		out.n = 0;
		dkim_canon_field(DKIM_RELAXED, raw, cut, append, &out);
		if (!bytes_eq(bytes_of(out.data, out.n), bytes_str(c->relaxed)))
			fail_msg("%s: %.*s", c->raw, (int)out.n, (char *)out.data);
		out.n = 0;
		dkim_canon_field(DKIM_SIMPLE, raw, cut, append, &out);
		assert_int_equal(out.n, raw.len - cut.len);
	}
}

/* --- bodies ---------------------------------------------------------------------------------- */

struct body_case {
	const char *body, *simple, *relaxed;
};

static const struct body_case body_cases[] = {
	/* RFC 6376 §3.4.5 */
	{" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"},
	{"", "\r\n", ""},
	{"\r\n", "\r\n", ""},
	{"\r\n\r\n\r\n", "\r\n", ""},
	{" ", " \r\n", ""},
	{" \r\n\t\r\n", " \r\n\t\r\n", ""},
	{"a", "a\r\n", "a\r\n"},
	{"a\r\n", "a\r\n", "a\r\n"},
	{"a \t\r\n", "a \t\r\n", "a\r\n"},
	{"a\r\n \r\n", "a\r\n \r\n", "a\r\n"},
	{"a\r\n  ", "a\r\n  \r\n", "a\r\n"},
	{"\r\n\r\na\r\n", "\r\n\r\na\r\n", "\r\n\r\na\r\n"},
	{"a\r\n\r\nb", "a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n"},
	{"a\r", "a\r\r\n", "a\r\r\n"},
	{"a\r\r\n", "a\r\r\n", "a\r\r\n"},
	{"a \r", "a \r\r\n", "a \r\r\n"},
	{"a \r b", "a \r b\r\n", "a \r b\r\n"},
	{"a\n\n", "a\n\n\r\n", "a\n\n\r\n"},
	{"a \n", "a \n\r\n", "a \n\r\n"},
	{"\r\n\r", "\r\n\r\r\n", "\r\n\r\r\n"},
	{"\r\r\n\r\n", "\r\r\n", "\r\r\n"},
	{"\ta\t \tb", "\ta\t \tb\r\n", " a b\r\n"},
	{"a\r\n \r\n\r\n b\r\n\r\n", "a\r\n \r\n\r\n b\r\n", "a\r\n\r\n\r\n b\r\n"},
};

static void canonicalize(
	enum dkim_canon canon, struct bytes body, size_t portion, size_t capacity, struct out *out)
{
	struct dkim_canon_body state;
	uint8_t scratch[4096];
	struct bytes piece;

	out->n = 0;
	dkim_canon_body_init(&state, canon);
	while (body.len) {
		struct bytes input = bytes_slice(body, 0, portion);
		body = bytes_from(body, input.len);
		while (dkim_canon_body_step(&state, &input, scratch, capacity, &piece))
			append(out, piece);
	}
	while (dkim_canon_body_end(&state, scratch, capacity, &piece))
		append(out, piece);
}

static const size_t portions[] = {SIZE_MAX, 1, 2, 3, 64, 100};

static void check_body(enum dkim_canon canon, const char *body, const char *expected)
{
	static struct out out;
	for (size_t i = 0; i < sizeof(portions) / sizeof(portions[0]); i++) {
		canonicalize(canon, bytes_str(body), portions[i], DKIM_CANON_SCRATCH_MIN, &out);
		if (!bytes_eq(bytes_of(out.data, out.n), bytes_str(expected)))
			fail_msg("portions of %zu, canon %d, \"%s\": \"%.*s\"", portions[i], canon,
				body, (int)out.n, (char *)out.data);
	}
}

static void canonicalizes_bodies_in_any_portions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(body_cases) / sizeof(body_cases[0]); i++) {
		check_body(DKIM_SIMPLE, body_cases[i].body, body_cases[i].simple);
		check_body(DKIM_RELAXED, body_cases[i].body, body_cases[i].relaxed);
	}
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Long enough for the vector code, made of what it decides on. */
static void random_body(uint32_t seed, uint8_t *body, size_t len)
{
	static const char kinds[4][12] = {
		"ab \t\r\n\r\n \r\n", "abcdefgh \r\n", "  \t\r\n\r\n  x", "abcdefghijk"};
	size_t n = 0;
	while (n < len) {
		const char *kind = kinds[next_random(&seed) % 4];
		for (uint32_t run = next_random(&seed) % 200; run && n < len; run--) {
			uint32_t pick = next_random(&seed) % 11;
			body[n++] = (uint8_t)kind[pick];
			if (kind[pick] == '\r' && n < len && next_random(&seed) % 16)
				body[n++] = '\n';
		}
	}
}

static void gives_the_same_in_any_portions_for_random_bodies(void **state)
{
	static struct out plain, out;
	static uint8_t body[8000];

	(void)state;
	for (uint32_t seed = 1; seed <= 60; seed++) {
		size_t len = 1 + seed * 131 % sizeof(body);
		random_body(seed, body, len);
		for (int canon = DKIM_SIMPLE; canon <= DKIM_RELAXED; canon++) {
			canonicalize(canon, bytes_of(body, len), 1, 4096, &plain);
			for (size_t portion = 2; portion < 3000; portion = portion * 5 / 3 + 1) {
				canonicalize(canon, bytes_of(body, len), portion,
					64 + portion % 1000, &out);
				if (!bytes_eq(bytes_of(out.data, out.n),
					    bytes_of(plain.data, plain.n)))
					fail_msg("seed %u, portions of %zu", seed, portion);
			}
		}
	}
}

/* Where a vector ends between CR and LF, before a blank, in a run of line ends. */
static void gives_the_same_wherever_a_vector_ends(void **state)
{
	static struct out plain, out;
	static const char *const ends[] = {"\r\n", "\r\n\r\n", " \r\n", "  ", " \r", "\r", "\r\r\n",
		"\t\r\n \r\n", "x\r\n", "\n", " \n"};
	uint8_t body[400];

	(void)state;
	for (size_t before = 0; before < 200; before++)
		for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
			for (size_t after = 0; after < 100; after += 33) {
				size_t n = strlen(ends[i]), len = before + n + after;
				memset(body, 'a', sizeof(body));
				memcpy(body + before, ends[i], n);
				canonicalize(DKIM_RELAXED, bytes_of(body, len), 1, 4096, &plain);
				canonicalize(
					DKIM_RELAXED, bytes_of(body, len), SIZE_MAX, 4096, &out);
				if (!bytes_eq(bytes_of(out.data, out.n),
					    bytes_of(plain.data, plain.n)))
					fail_msg("%zu octets, end %zu, %zu octets", before, i,
						after);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(canonicalizes_fields),
		cmocka_unit_test(canonicalizes_bodies_in_any_portions),
		cmocka_unit_test(gives_the_same_in_any_portions_for_random_bodies),
		cmocka_unit_test(gives_the_same_wherever_a_vector_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
