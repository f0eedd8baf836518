#include "auth/pipeline.h"

#include "auth/pipeline_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

COUNTERS_DEFINE(auth, AUTH_COUNTERS)

const struct auth_config auth_config_default = {
	.authserv_id = "localhost",
	.hostname = "localhost",
	.spf = {.lookups = 10, .void_lookups = 2, .mx_names = 10, .ptr_names = 10},
	.dkim = {.signatures = 10,
		.header_bytes = 256 * 1024,
		.min_rsa_bits = 1024,
		.clock_skew_s = 300},
	.max_mails = 1024,
	.max_header_bytes = 256 * 1024,
	.max_arena_bytes = 512 * 1024,
	.max_received = 50,
	.secondary_wait_ms = 1000,
};

const struct dns_parsers auth_dns_parsers = {
	.of =
		{
			[DNS_USE_SPF] = &spf_record_parser,
			[DNS_USE_DKIM] = &dkim_key_parser,
			[DNS_USE_DMARC] = &dmarc_record_parser,
		},
};

#define MAIL_OF(link_pointer, member)                                                              \
	((struct auth_mail *)((char *)(link_pointer)-offsetof(struct auth_mail, member)))

/* --- the engine --- */

static void keep_string(char *room, size_t size, const char *value)
{
	snprintf(room, size, "%s", value);
}

static int init_memory(struct auth_engine *engine)
{
	const struct auth_config *config = &engine->config;
	uint32_t blocks = config->max_arena_bytes / ARENA_BLOCK_SIZE;
	int error = slab_init(&engine->mails, sizeof(struct auth_mail), config->max_mails);

	if (!error)
		error = slab_init(&engine->headers, config->max_header_bytes, config->max_mails);
	if (!error)
		error = slab_init(&engine->blocks, ARENA_BLOCK_SIZE, blocks * config->max_mails);
	engine->live = calloc(config->max_mails, sizeof(engine->live[0]));
	engine->queue = crypto_queue_new();
	return error || !engine->live || !engine->queue ? -ENOMEM : 0;
}

int auth_engine_new(const struct auth_config *config, struct dns_cache *cache,
	struct epoch_reader *reader, struct auth_engine **out)
{
	struct auth_engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return -ENOMEM;
	engine->config = *config;
	engine->cache = cache;
	engine->reader = reader;
	keep_string(engine->authserv_id, sizeof(engine->authserv_id), config->authserv_id);
	keep_string(engine->hostname, sizeof(engine->hostname), config->hostname);
	auth_counters_init(&engine->counters);
	auth_link_init(&engine->asking);
	auth_link_init(&engine->waiting);
	auth_link_init(&engine->lingering);
	auth_link_init(&engine->ready);
	int error = init_memory(engine);
	if (error) {
		auth_engine_free(engine);
		return error;
	}
	*out = engine;
	return 0;
}

void auth_engine_free(struct auth_engine *engine)
{
	if (!engine)
		return;
	for (unsigned i = 0; engine->live && i < engine->config.max_mails; i++) {
		if (engine->live[i])
			auth_mail_end(engine->live[i]);
	}
	if (engine->queue)
		crypto_queue_free(engine->queue);
	slab_fini(&engine->blocks);
	slab_fini(&engine->headers);
	slab_fini(&engine->mails);
	free(engine->live);
	free(engine);
}

/* --- going on --- */

/* What DMARC stands on. */
static bool identities_done(const struct auth_mail *mail)
{
	const struct spf_eval *spf = mail->spf_mfrom ? mail->spf_mfrom : mail->spf_helo;

	return spf_eval_done(spf) && dkim_verifier_done(mail->dkim);
}

/* All that a decision may stand on. */
static bool main_done(const struct auth_mail *mail)
{
	return identities_done(mail) && arc_verifier_done(mail->arc) && pipeline_seal_done(mail) &&
	       (!mail->dmarc || dmarc_eval_done(mail->dmarc));
}

static bool secondary_done(const struct auth_mail *mail)
{
	return spf_eval_done(mail->spf_helo) && mail->iprev.done;
}

/* Only iprev or HELO is missing. */
static void linger(struct auth_mail *mail, uint64_t now_us)
{
	struct auth_engine *engine = mail->engine;

	if (auth_link_is_in(&mail->in_lingering))
		return;
	mail->linger_until_us = now_us + engine->config.secondary_wait_ms * (uint64_t)1000;
	auth_link_append(&engine->lingering, &mail->in_lingering);
}

static void take_back_jobs(struct auth_mail *mail)
{
	if (mail->arc)
		arc_verifier_fini(mail->arc);
	if (mail->dkim)
		dkim_verifier_fini(mail->dkim);
}

/* From here on the mail is its owner's, who may be another thread: nothing of it stays queued. */
static void become_ready(struct auth_mail *mail, uint64_t now_us)
{
	struct auth_engine *engine = mail->engine;

	mail->phase = AUTH_PHASE_READY;
	mail->ready_us = now_us;
	pipeline_verdict_fill(mail);
	take_back_jobs(mail);
	auth_link_remove(&mail->in_asking);
	auth_link_remove(&mail->in_waiting);
	auth_link_remove(&mail->in_lingering);
	auth_link_append(&engine->ready, &mail->in_ready);
	counter_inc(&engine->counters.v[AUTH_VERDICTS]);
	if (mail->verdict.temporary)
		counter_inc(&engine->counters.v[AUTH_TEMPORARY]);
}

/* Whatever happened to a mail, this is called next: everything that can go on does. */
static void progress(struct auth_mail *mail, uint64_t now_us)
{
	if (mail->phase == AUTH_PHASE_READY || mail->fed != AUTH_FEED_OK)
		return;
	pipeline_dns_pump(mail, now_us);
	if (mail->phase != AUTH_PHASE_ENDED)
		return;
	if (mail->dmarc && !mail->identified && identities_done(mail)) {
		mail->identified = true;
		pipeline_verdict_identify(mail);
		pipeline_dns_pump(mail, now_us);
	}
	if (!main_done(mail))
		return;
	if (secondary_done(mail))
		become_ready(mail, now_us);
	else
		linger(mail, now_us);
}

/* --- a mail --- */

/* What is looked up: A-labels; what is no name stays as it is, and SPF will say so. */
static struct bytes lookup_domain(struct auth_mail *mail, struct bytes domain)
{
	struct bytes ascii;

	for (size_t i = 0; i < domain.len; i++) {
		if (domain.data[i] >= 0x80)
			return mailbox_domain_to_ascii(domain, &mail->arena, &ascii)
				       ? ascii
				       : (struct bytes){NULL, 0};
	}
	return domain;
}

static struct spf_eval *begin_spf(
	struct auth_mail *mail, struct bytes local_part, struct bytes domain)
{
	const struct auth_engine *engine = mail->engine;
	struct spf_input input = {
		.client = mail->client,
		.helo = mail->helo,
		.local_part = local_part,
		.domain = domain,
		.receiver = bytes_str(engine->hostname),
		.now_unix_s = mail->now_unix_s,
	};

	return spf_eval_new(&mail->arena, &mail->asks, &engine->config.spf, &input);
}

/* The question that comes at `index`, if it is that type's, was asked before. */
static void note_early(struct auth_mail *mail, unsigned index, enum dns_type type, uint64_t at_us)
{
	if (index < mail->asks.n && mail->asks.ask[index]->question.type == type)
		mail->asks.ask[index]->early_us = at_us;
}

/* False where memory is out. */
static bool begin_evaluations(struct auth_mail *mail, const struct early_times *early)
{
	const struct auth_engine *engine = mail->engine;

	mail->helo_domain = lookup_domain(mail, mail->helo);
	mail->spf_helo = begin_spf(mail, (struct bytes){NULL, 0}, mail->helo_domain);
	if (!mail->spf_helo)
		return false;
	note_early(mail, 0, DNS_TXT, early->helo_us);
	if (mail->mail_from.len > 0) {
		size_t at = bytes_rfind(mail->mail_from, '@');
		struct bytes domain = {NULL, 0}, local_part = mail->mail_from;
		if (at != BYTES_NPOS) {
			domain = bytes_from(mail->mail_from, at + 1);
			local_part.len = at;
		}
		mail->mfrom_domain = lookup_domain(mail, domain);
		mail->spf_mfrom = begin_spf(mail, local_part, mail->mfrom_domain);
		if (!mail->spf_mfrom)
			return false;
	}
	unsigned reverse = mail->asks.n;
	iprev_begin(&mail->iprev, &mail->asks, &mail->client);
	note_early(mail, reverse, DNS_PTR, early->reverse_us);
	mail->dkim = dkim_verifier_new(
		&mail->arena, &mail->asks, engine->queue, &engine->config.dkim, mail->now_unix_s);
	if (!mail->dkim)
		return false;
	mail->arc = arc_verifier_new(
		&mail->arena, &mail->asks, engine->queue, mail->dkim, &engine->config.dkim);
	return mail->arc != NULL;
}

static struct auth_mail *new_mail(struct auth_engine *engine)
{
	struct auth_mail *mail = slab_get(&engine->mails);

	if (!mail)
		return NULL;
	/* Not the end: it is large and written before it is read. */
	memset(mail, 0, offsetof(struct auth_mail, verdict.dkim));
	mail->engine = engine;
	mail->slot = slab_index(&engine->mails, mail);
	mail->generation = ++engine->last_generation;
	auth_link_init(&mail->in_asking);
	auth_link_init(&mail->in_waiting);
	auth_link_init(&mail->in_lingering);
	auth_link_init(&mail->in_ready);
	arena_init(
		&mail->arena, &engine->blocks, engine->config.max_arena_bytes / ARENA_BLOCK_SIZE);
	dns_asks_init(&mail->asks, &mail->arena);
	engine->live[mail->slot] = mail;
	return mail;
}

struct auth_mail *auth_mail_begin(
	struct auth_engine *engine, const struct auth_envelope *envelope, uint64_t now_us)
{
	struct auth_mail *mail = new_mail(engine);

	if (!mail) {
		counter_inc(&engine->counters.v[AUTH_MAILS_FULL]);
		return NULL;
	}
	mail->begun_us = now_us;
	mail->client = envelope->client;
	mail->now_unix_s = envelope->now_unix_s;
	mail->helo = arena_dup(&mail->arena, envelope->helo);
	mail->mail_from = arena_dup(&mail->arena, envelope->mail_from);
	mail->header = slab_get(&engine->headers);
	if (!mail->helo.data || !mail->mail_from.data || !mail->header ||
		!begin_evaluations(mail, &envelope->early)) {
		counter_inc(&engine->counters.v[AUTH_NO_MEMORY]);
		auth_mail_end(mail);
		return NULL;
	}
	fields_init(&mail->fields, mail->header, engine->config.max_header_bytes);
	counter_inc(&engine->counters.v[AUTH_MAILS]);
	progress(mail, now_us);
	return mail;
}

void auth_mail_end(struct auth_mail *mail)
{
	struct auth_engine *engine = mail->engine;

	take_back_jobs(mail);
	auth_link_remove(&mail->in_asking);
	auth_link_remove(&mail->in_waiting);
	auth_link_remove(&mail->in_lingering);
	auth_link_remove(&mail->in_ready);
	dns_asks_fini(&mail->asks);
	arena_fini(&mail->arena);
	if (mail->header)
		slab_put(&engine->headers, mail->header);
	engine->live[mail->slot] = NULL;
	slab_put(&engine->mails, mail);
}

/* --- content --- */

static void header_ended(struct auth_mail *mail, uint64_t now_us)
{
	mail->phase = AUTH_PHASE_BODY;
	mail->header_us = now_us;
	dkim_verifier_header_end(mail->dkim);
	arc_verifier_header_end(mail->arc);
	pipeline_seal_header_end(mail);
}

/* Takes what belongs to the header section off the front of *content, or finishes the section. */
static void feed_header(struct auth_mail *mail, struct bytes *content, bool finish, uint64_t now_us)
{
	struct field field;

	while (mail->fed == AUTH_FEED_OK) {
		enum fields_event event = finish ? fields_finish(&mail->fields, &field)
						 : fields_feed(&mail->fields, content, &field);
		switch (event) {
		case FIELDS_FIELD: pipeline_header_field(mail, &field); break;
		case FIELDS_TOO_LARGE: mail->fed = AUTH_FEED_HEADER_TOO_LARGE; break;
		case FIELDS_END: header_ended(mail, now_us); return;
		case FIELDS_MORE: return;
		}
	}
}

static void count_error(struct auth_mail *mail)
{
	counter *counters = mail->engine->counters.v;

	switch (mail->fed) {
	case AUTH_FEED_OK: break;
	case AUTH_FEED_HEADER_TOO_LARGE: counter_inc(&counters[AUTH_HEADER_TOO_LARGE]); break;
	case AUTH_FEED_LOOP: counter_inc(&counters[AUTH_LOOPS]); break;
	case AUTH_FEED_NO_MEMORY: counter_inc(&counters[AUTH_NO_MEMORY]); break;
	}
}

enum auth_feed auth_mail_content(struct auth_mail *mail, struct bytes content, uint64_t now_us)
{
	if (mail->fed != AUTH_FEED_OK || mail->phase >= AUTH_PHASE_ENDED)
		return mail->fed;
	if (mail->phase == AUTH_PHASE_HEADER)
		feed_header(mail, &content, false, now_us);
	if (mail->phase == AUTH_PHASE_BODY && content.len > 0)
		dkim_verifier_body(mail->dkim, content);
	count_error(mail);
	progress(mail, now_us);
	return mail->fed;
}

enum auth_feed auth_mail_content_end(struct auth_mail *mail, uint64_t now_us)
{
	if (mail->fed != AUTH_FEED_OK || mail->phase >= AUTH_PHASE_ENDED)
		return mail->fed;
	if (mail->phase == AUTH_PHASE_HEADER)
		feed_header(mail, NULL, true, now_us);
	count_error(mail);
	if (mail->fed != AUTH_FEED_OK)
		return mail->fed;
	dkim_verifier_body_end(mail->dkim);
	mail->phase = AUTH_PHASE_ENDED;
	mail->ended_us = now_us;
	auth_link_append(&mail->engine->waiting, &mail->in_waiting);
	progress(mail, now_us);
	return AUTH_FEED_OK;
}

/* --- answers and jobs --- */

/* What is open counts as timed out, and so does what is asked from now on. */
static void stop_waiting(struct auth_mail *mail, uint64_t now_us)
{
	mail->gave_up = true;
	for (unsigned i = 0; i < mail->asks.n; i++) {
		if (mail->asks.ask[i]->state == DNS_ASK_SENT)
			dns_asks_answer(&mail->asks, i, dns_answer_failure(DNS_TIMEOUT), now_us);
	}
	progress(mail, now_us);
}

static unsigned stop_lingering(struct auth_engine *engine, uint64_t now_us)
{
	unsigned n = 0;

	for (; auth_link_is_in(&engine->lingering); n++) {
		struct auth_mail *mail = MAIL_OF(engine->lingering.next, in_lingering);
		if (mail->linger_until_us > now_us)
			break;
		counter_inc(&engine->counters.v[AUTH_SECONDARY_LATE]);
		auth_link_remove(&mail->in_lingering);
		stop_waiting(mail, now_us);
	}
	return n;
}

unsigned auth_engine_run(struct auth_engine *engine, uint64_t now_us, bool idle, uint32_t budget_us)
{
	unsigned done = crypto_run(engine->queue, now_us, idle, budget_us);
	struct auth_link *link, *next;

	/* Jobs do not say whose they were: look at those whose verdict may have waited for one. */
	for (link = engine->waiting.next; done > 0 && link != &engine->waiting; link = next) {
		next = link->next;
		progress(MAIL_OF(link, in_waiting), now_us);
	}
	return done + stop_lingering(engine, now_us);
}

uint64_t auth_engine_deadline_us(const struct auth_engine *engine)
{
	uint64_t deadline_us = crypto_deadline_us(engine->queue);

	if (auth_link_is_in(&engine->lingering)) {
		const struct auth_mail *mail = MAIL_OF(engine->lingering.next, in_lingering);
		if (mail->linger_until_us < deadline_us)
			deadline_us = mail->linger_until_us;
	}
	return deadline_us;
}

struct auth_mail *auth_engine_next_ready(struct auth_engine *engine)
{
	struct auth_link *first = engine->ready.next;

	if (first == &engine->ready)
		return NULL;
	auth_link_remove(first);
	return MAIL_OF(first, in_ready);
}

bool auth_engine_next_question(struct auth_engine *engine, struct auth_ref *ref, uint32_t *index,
	struct dns_question *question)
{
	while (auth_link_is_in(&engine->asking)) {
		struct auth_mail *mail = MAIL_OF(engine->asking.next, in_asking);

		if (pipeline_dns_next(mail, index, question)) {
			*ref = auth_mail_ref(mail);
			return true;
		}
		auth_link_remove(&mail->in_asking);
	}
	return false;
}

void auth_engine_answer(struct auth_engine *engine, struct auth_ref ref, uint32_t index,
	const struct dns_answer *answer, uint64_t now_us)
{
	struct auth_mail *mail =
		ref.slot < engine->config.max_mails ? engine->live[ref.slot] : NULL;

	if (!mail || mail->generation != ref.generation || mail->phase == AUTH_PHASE_READY) {
		counter_inc(&engine->counters.v[AUTH_ANSWERS_STALE]);
		return;
	}
	pipeline_dns_answer(mail, index, answer, now_us);
	progress(mail, now_us);
}

void auth_mail_give_up(struct auth_mail *mail, uint64_t now_us)
{
	counter_inc(&mail->engine->counters.v[AUTH_GAVE_UP]);
	stop_waiting(mail, now_us);
}

/* --- what is known about a mail --- */

const struct auth_verdict *auth_mail_verdict(struct auth_mail *mail)
{
	return mail->phase == AUTH_PHASE_READY ? &mail->verdict : NULL;
}

struct auth_ref auth_mail_ref(const struct auth_mail *mail)
{
	return (struct auth_ref){mail->slot, mail->generation};
}

void auth_mail_set_user(struct auth_mail *mail, void *user)
{
	mail->user = user;
}

void *auth_mail_user(const struct auth_mail *mail)
{
	return mail->user;
}

struct bytes auth_mail_header(const struct auth_mail *mail)
{
	return fields_section(&mail->fields);
}

unsigned auth_mail_cuts(const struct auth_mail *mail, struct auth_cut *cuts, unsigned max)
{
	unsigned n = mail->n_cuts < max ? mail->n_cuts : max;

	memcpy(cuts, mail->cuts, n * sizeof(cuts[0]));
	return n;
}

const struct counter_block *auth_counters(const struct auth_engine *engine)
{
	return &engine->counters.block;
}
