#include "auth/dns/dns.h"

#include "auth/dns/dns_name.h"

#include <assert.h>
#include <stdlib.h>

static_assert(DNS_NAME_MAX == DNS_NAME_TEXT_MAX, "a question holds every name");

bool dns_question_set(
	struct dns_question *question, enum dns_type type, enum dns_use use, struct bytes name)
{
	struct dns_name wire;
	size_t len;

	/* There and back: checks the labels, lowers the case, takes the final dot off. */
	if (!dns_name_from_text(&wire, name) || !dns_name_to_text(&wire, question->name, &len))
		return false;
	question->type = (uint16_t)type;
	question->use = (uint8_t)use;
	question->name_len = (uint8_t)len;
	question->name[len] = '\0';
	return true;
}

void dns_question_set_reverse(struct dns_question *question, const struct ip_addr *addr)
{
	static const char hex[] = "0123456789abcdef";
	struct text name;

	text_init(&name, question->name, sizeof(question->name));
	if (ip_addr_is_v4(addr)) {
		uint32_t v4 = ip_addr_v4_of(addr);

		text_printf(&name, "%u.%u.%u.%u.in-addr.arpa", v4 & 255, v4 >> 8 & 255,
			v4 >> 16 & 255, v4 >> 24);
	} else {
		for (int i = 15; i >= 0; i--)
			text_printf(&name, "%c.%c.", hex[addr->octets[i] & 15],
				hex[addr->octets[i] >> 4]);
		text_put(&name, BYTES("ip6.arpa"));
	}
	question->type = DNS_PTR;
	question->use = DNS_USE_RAW;
	question->name_len = (uint8_t)name.len;
	question->name[name.len] = '\0';
}

bool dns_question_same(const struct dns_question *a, const struct dns_question *b)
{
	return a->type == b->type && a->use == b->use && a->name_len == b->name_len &&
	       memcmp(a->name, b->name, a->name_len) == 0;
}

const char *dns_outcome_word(enum dns_outcome outcome)
{
	static const char *const words[] = {
#define X(name, word) [DNS_##name] = word,
		DNS_OUTCOMES(X)
#undef X
	};

	return words[outcome];
}

/* A parser that does not say what its results take: on the safe side of an RSA key with its
 * constants. */
#define PARSED_BYTES_GUESS 4096

static size_t answer_size(const struct dns_answer *like)
{
	size_t size = sizeof(struct dns_answer) + like->n * sizeof(struct dns_record);

	for (unsigned i = 0; i < like->n; i++)
		size += like->records[i].name.len + like->records[i].text.len;
	return size;
}

static struct bytes copy_bytes(uint8_t **to, struct bytes from)
{
	struct bytes copy = bytes_of(*to, from.len);

	if (from.len > 0)
		memcpy(*to, from.data, from.len);
	*to += from.len;
	return copy;
}

static bool parse_answer(struct dns_answer *answer, const struct dns_parser *parser)
{
	if (answer->outcome != DNS_OK || !parser || !parser->parse)
		return true;
	answer->parsed = parser->parse(answer);
	if (!answer->parsed)
		return false;
	answer->free_parsed = parser->free;
	answer->bytes +=
		(uint32_t)(parser->size ? parser->size(answer->parsed) : PARSED_BYTES_GUESS);
	return true;
}

const struct dns_answer *dns_answer_new(
	const struct dns_answer *like, const struct dns_parser *parser)
{
	size_t size = answer_size(like);
	struct dns_answer *answer = malloc(size);
	uint8_t *octets;

	if (!answer)
		return NULL;
	*answer = (struct dns_answer){
		.outcome = like->outcome,
		.secure = like->secure,
		.ttl_s = like->ttl_s,
		.bytes = (uint32_t)size,
		.n = like->n,
		.records = (struct dns_record *)(answer + 1),
	};
	atomic_init(&answer->holds, 1);
	octets = (uint8_t *)(answer->records + like->n);
	for (unsigned i = 0; i < like->n; i++) {
		answer->records[i] = like->records[i];
		answer->records[i].name = copy_bytes(&octets, like->records[i].name);
		answer->records[i].text = copy_bytes(&octets, like->records[i].text);
	}
	if (!parse_answer(answer, parser)) {
		free(answer);
		return NULL;
	}
	return answer;
}

const struct dns_answer *dns_answer_failure(enum dns_outcome outcome)
{
	static const struct dns_answer failures[] = {
#define X(name, word) [DNS_##name] = {.outcome = DNS_##name, .fixed = true},
		DNS_OUTCOMES(X)
#undef X
	};

	return &failures[outcome];
}

/* What is const is what the answer says; the count of its holders is not part of that. */
static _Atomic uint32_t *holds_of(const struct dns_answer *answer)
{
	return (_Atomic uint32_t *)(uintptr_t)&answer->holds;
}

void dns_answer_hold(const struct dns_answer *answer)
{
	if (!answer->fixed)
		atomic_fetch_add_explicit(holds_of(answer), 1, memory_order_relaxed);
}

void dns_answer_release(const struct dns_answer *answer)
{
	if (answer->fixed)
		return;
	/* Release: our reads come before the free; acquire: so do those of the others. */
	if (atomic_fetch_sub_explicit(holds_of(answer), 1, memory_order_acq_rel) != 1)
		return;
	if (answer->free_parsed)
		answer->free_parsed(answer->parsed);
	free((void *)(uintptr_t)answer);
}
