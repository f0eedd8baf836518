#include "auth/dns/dns_asks.h"
#include "auth/spf/spf.h"
#include "base/arena.h"

#include <stdlib.h>

/*
 * A domain whose DNS says anything: records and outcomes are taken from the input, answers come in
 * any order. Every evaluation ends, within its limits, with a result that RFC 7208 knows.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what))                                                                       \
			abort();                                                                   \
	} while (0)

/* The terms an evaluation may ask for, the record, exp=, and 10 names for each MX and the PTR. */
#define MAX_ASKED (10 + 1 + 1 + 1 + 10 + 10 * 10)

static uint8_t take(struct cursor *in)
{
	int c = cursor_next(in);

	return c < 0 ? 0 : (uint8_t)c;
}

static struct bytes take_text(struct cursor *in)
{
	struct bytes text;
	size_t len = take(in);

	if (len > cursor_left(in))
		len = cursor_left(in);
	CHECK(cursor_take(in, len, &text));
	return text;
}

/* Terms out of the input's bits: what is well-formed goes deeper than what is not. */
static struct bytes make_record(struct cursor *in, struct text *out)
{
	static const char *const terms[] = {" a", " mx", " ptr", " include:example.com",
		" a:b.org/24", " redirect=example.com", " exp=e.org", " exists:%{p}.%{ir}.x.org",
		" ~all", " -all", " mx:%{d2r}.org//64", " ip4:192.0.2.0/24", " ip6:2001:db8::/32",
		" ?include:%{h}", " -ptr:%{d}", " a:%{l}.%{o}"};

	if (take(in) % 4 == 0)
		return take_text(in);
	text_put(out, BYTES("v=spf1"));
	for (unsigned n = take(in) % 12; n > 0; n--)
		text_put(out, bytes_str(terms[take(in) % (sizeof(terms) / sizeof(terms[0]))]));
	return text_bytes(out);
}

static void make_record_of(struct cursor *in, const struct dns_question *question,
	struct dns_record *record, struct text *room)
{
	static const struct bytes names[] = {{(const uint8_t *)"example.com", 11},
		{(const uint8_t *)"mail.example.com", 16}, {(const uint8_t *)"", 0},
		{(const uint8_t *)"b.org", 5}};

	*record = (struct dns_record){.preference = 10};
	switch (question->type) {
	case DNS_A: record->addr = ip_addr_v4(0xc0000200u + take(in) % 4); break;
	case DNS_AAAA: memset(record->addr.octets, take(in) % 4 + 1, 16); break;
	case DNS_TXT: record->text = make_record(in, room); break;
	default: record->name = names[take(in) % 4]; break;
	}
}

static const struct dns_answer *make_answer(struct cursor *in, const struct dns_question *question)
{
	struct dns_record records[16];
	char room[16][256];
	struct dns_answer like = {.outcome = DNS_OK, .records = records};
	uint8_t choice = take(in);

	if (choice % 8 == 7)
		return dns_answer_failure((enum dns_outcome)(DNS_NODATA + choice / 8 % 5));
	like.n = question->type == DNS_TXT && choice % 16 ? 1 : choice / 8 % 16 + 1;
	for (unsigned i = 0; i < like.n; i++) {
		struct text text;
		text_init(&text, room[i], sizeof(room[i]));
		make_record_of(in, question, &records[i], &text);
	}
	return dns_answer_new(&like, question->use == DNS_USE_SPF ? &spf_record_parser : NULL);
}

static void answer_one(struct dns_asks *asks, struct cursor *in)
{
	unsigned open[DNS_ASKS_MAX], n = 0;

	for (unsigned i = 0; i < asks->n; i++) {
		if (asks->ask[i]->state != DNS_ASK_ANSWERED)
			open[n++] = i;
	}
	CHECK(n > 0);
	unsigned index = open[take(in) % n];
	const struct dns_answer *answer = make_answer(in, &asks->ask[index]->question);
	CHECK(answer);
	dns_asks_answer(asks, index, answer, 0);
	dns_answer_release(answer);
}

static struct spf_input make_input(struct cursor *in)
{
	struct spf_input input = {
		.helo = take_text(in),
		.local_part = BYTES("user.x-y"),
		.domain = BYTES("example.com"),
		.now_unix_s = 1700000000,
	};
	uint8_t choice = take(in);

	input.client = ip_addr_v4(0xc0000200u + choice % 4);
	if (choice % 3 == 0)
		memset(input.client.octets, choice % 4 + 1, 16);
	if (choice % 16 == 15)
		input.domain = input.helo;
	return input;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct slab slab;
	static bool ready;
	struct cursor in = {data, data + size};
	struct arena arena;
	struct dns_asks asks;

	if (!ready) {
		CHECK(slab_init(&slab, ARENA_BLOCK_SIZE, 64) == 0);
		ready = true;
	}
	arena_init(&arena, &slab, 64);
	dns_asks_init(&asks, &arena);
	struct spf_input input = make_input(&in);
	struct spf_eval *eval = spf_eval_new(&arena, &asks, &spf_limits_default, &input);
	CHECK(eval);
	while (!spf_eval_done(eval))
		answer_one(&asks, &in);
	CHECK(asks.n <= MAX_ASKED);
	enum auth_result result = spf_eval_result(eval);
	CHECK(result != AUTH_POLICY && result < AUTH_RESULT_COUNT);
	CHECK(result == AUTH_FAIL || spf_eval_explanation(eval).len == 0);
	/* late answers change nothing */
	while (asks.open > 0)
		answer_one(&asks, &in);
	CHECK(spf_eval_result(eval) == result);
	dns_asks_fini(&asks);
	arena_fini(&arena);
	return 0;
}
