#include "auth/early.h"

#include "auth/iprev.h"

#include <errno.h>
#include <stdlib.h>

COUNTERS_DEFINE(early, EARLY_COUNTERS)

_Static_assert((EARLY_PLACES & (EARLY_PLACES - 1)) == 0, "a hash is cut to a place");

struct place {
	struct dns_question question;
	uint64_t asked_us; /* 0: there was none yet */
	bool open;
};

struct early {
	struct dns_cache *cache;
	struct epoch_reader *reader;
	struct siphash_key key;
	struct early_counters counters;
	unsigned n_open;
	/* To be carried out yet: a queue of places. */
	uint16_t line[EARLY_OPEN_MAX];
	unsigned line_from, line_len;
	struct place places[EARLY_PLACES];
};

int early_new(struct dns_cache *cache, struct epoch_reader *reader, struct siphash_key key,
	struct early **out)
{
	struct early *early = calloc(1, sizeof(*early));

	if (!early)
		return -ENOMEM;
	early->cache = cache;
	early->reader = reader;
	early->key = key;
	early_counters_init(&early->counters);
	*out = early;
	return 0;
}

void early_free(struct early *early)
{
	free(early);
}

static unsigned place_of(const struct early *early, const struct dns_question *question)
{
	uint64_t hash = siphash(&early->key, question->name, question->name_len);

	return (unsigned)(hash + question->type) & (EARLY_PLACES - 1);
}

static bool is_cached(struct early *early, const struct dns_question *question, uint64_t now_us)
{
	const struct dns_answer *answer =
		early->cache ? dns_cache_get(early->cache, early->reader, question, now_us) : NULL;

	if (answer)
		dns_answer_release(answer);
	return answer != NULL;
}

static void ask(struct early *early, const struct dns_question *question, uint64_t now_us)
{
	unsigned index = place_of(early, question);
	struct place *place = &early->places[index];

	if (place->open && dns_question_same(&place->question, question))
		return;
	if (is_cached(early, question, now_us)) {
		counter_inc(&early->counters.v[EARLY_CACHED]);
		return;
	}
	if (place->open || early->n_open == EARLY_OPEN_MAX) {
		counter_inc(&early->counters.v[EARLY_FULL]);
		return;
	}
	place->question = *question;
	place->asked_us = now_us;
	place->open = true;
	early->n_open++;
	early->line[(early->line_from + early->line_len++) % EARLY_OPEN_MAX] = (uint16_t)index;
	counter_inc(&early->counters.v[EARLY_ASKED]);
}

/* A name of several labels in ASCII, as SPF looks it up; what is none is not asked for (nor is a
 * U-label, whose A-label only the mail makes). */
static bool helo_question(struct dns_question *question, struct bytes helo)
{
	for (size_t i = 0; i < helo.len; i++) {
		if (!ascii_is_alnum(helo.data[i]) && helo.data[i] != '-' && helo.data[i] != '.' &&
			helo.data[i] != '_')
			return false;
	}
	return bytes_find(helo, '.') != BYTES_NPOS &&
	       dns_question_set(question, DNS_TXT, DNS_USE_SPF, helo);
}

void early_ask(
	struct early *early, const struct ip_addr *client, struct bytes helo, uint64_t now_us)
{
	struct dns_question question;

	dns_question_set_reverse(&question, client);
	ask(early, &question, now_us);
	if (helo_question(&question, helo))
		ask(early, &question, now_us);
}

bool early_next_question(struct early *early, uint32_t *index, struct dns_question *question)
{
	if (early->line_len == 0)
		return false;
	*index = early->line[early->line_from];
	*question = early->places[*index].question;
	early->line_from = (early->line_from + 1) % EARLY_OPEN_MAX;
	early->line_len--;
	return true;
}

/* iprev goes on with the addresses of the names. */
static void ask_addresses(struct early *early, const struct dns_question *reverse,
	const struct dns_answer *answer, uint64_t now_us)
{
	bool v4 = bytes_ends_nocase(
		bytes_of(reverse->name, reverse->name_len), BYTES(".in-addr.arpa"));
	struct dns_question question;

	for (unsigned i = 0; i < answer->n && i < IPREV_MAX_NAMES; i++) {
		if (dns_question_set(
			    &question, v4 ? DNS_A : DNS_AAAA, DNS_USE_RAW, answer->records[i].name))
			ask(early, &question, now_us);
	}
}

void early_answer(
	struct early *early, uint32_t index, const struct dns_answer *answer, uint64_t now_us)
{
	struct place *place = index < EARLY_PLACES ? &early->places[index] : NULL;

	if (!place || !place->open)
		return;
	place->open = false;
	early->n_open--;
	if (place->question.type == DNS_PTR && answer->outcome == DNS_OK) {
		const struct dns_question reverse = place->question;
		ask_addresses(early, &reverse, answer, now_us);
	}
}

static uint64_t asked_us(
	const struct early *early, const struct dns_question *question, uint64_t now_us)
{
	const struct place *place = &early->places[place_of(early, question)];

	return place->asked_us > 0 && now_us - place->asked_us <= EARLY_TOLD_US &&
			       dns_question_same(&place->question, question)
		       ? place->asked_us
		       : 0;
}

struct early_times early_times(
	const struct early *early, const struct ip_addr *client, struct bytes helo, uint64_t now_us)
{
	struct early_times times = {0, 0};
	struct dns_question question;

	dns_question_set_reverse(&question, client);
	times.reverse_us = asked_us(early, &question, now_us);
	if (helo_question(&question, helo))
		times.helo_us = asked_us(early, &question, now_us);
	return times;
}

const struct counter_block *early_counters(const struct early *early)
{
	return &early->counters.block;
}
