#include "gateway/auth_lcore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Asks taken at a time from one io lcore, and work in one poll round. */
#define BURST     64
#define BUDGET_US 2000
/* Poll rounds with nothing to do before it sleeps, and how long at most. */
#define IDLE_ROUNDS  32
#define SLEEP_MAX_US 100000

/* --- life and death -----------------------------------------------------------------------------
 */

static void name_counters(struct auth_lcore *lcore)
{
	static const struct counters_entry plain[] = {
#define X(id, name, help) {name, help},
		AUTH_LCORE_COUNTERS(X)
#undef X
	};
	char *set = lcore->names[AUTH_LCORE_COUNTER_COUNT];

	snprintf(set, AUTH_LCORE_NAME_MAX, "auth_lcore%u", lcore->index);
	for (unsigned i = 0; i < AUTH_LCORE_COUNTER_COUNT; i++) {
		snprintf(lcore->names[i], AUTH_LCORE_NAME_MAX, "auth_lcore%u_%s", lcore->index,
			plain[i].name);
		lcore->entries[i] = (struct counters_entry){lcore->names[i], plain[i].help};
	}
	lcore->set = (struct counters_set){set, lcore->entries, AUTH_LCORE_COUNTER_COUNT};
	lcore->block = (struct counter_block){&lcore->set, lcore->counts};
}

int auth_lcore_new(unsigned index, struct auth_lcore **out)
{
	struct auth_lcore *lcore = aligned_alloc(64, (sizeof(*lcore) + 63) / 64 * 64);
	int error;

	if (!lcore)
		return -ENOMEM;
	memset(lcore, 0, sizeof(*lcore));
	lcore->index = index;
	name_counters(lcore);
	error = doorbell_init(&lcore->bell);
	if (error)
		free(lcore);
	else
		*out = lcore;
	return error;
}

void auth_lcore_free(struct auth_lcore *lcore)
{
	if (!lcore)
		return;
	auth_engine_free(lcore->engine);
	asker_fini(&lcore->asker);
	for (unsigned i = 0; i < lcore->n_io; i++)
		free(lcore->io[i].jobs);
	doorbell_fini(&lcore->bell);
	free(lcore);
}

int auth_lcore_add(struct auth_lcore *lcore, struct auth_pair *pair, unsigned slots)
{
	struct auth_job *jobs = calloc(slots, sizeof(*jobs));

	if (!jobs)
		return -ENOMEM;
	for (unsigned i = 0; i < slots; i++) {
		jobs[i].slot = i;
		jobs[i].pair = pair;
	}
	lcore->io[lcore->n_io].pair = pair;
	lcore->io[lcore->n_io].jobs = jobs;
	lcore->io[lcore->n_io++].n_jobs = slots;
	return 0;
}

static void count(struct auth_lcore *lcore, enum auth_lcore_counter id)
{
	counter_inc(&lcore->counts[id]);
}

/* --- what io lcores ask -------------------------------------------------------------------------
 */

/* There is room: it is at most AUTH_WORDS_PER_MAIL of each. */
static void tell(struct auth_job *job, enum auth_word_kind kind, enum auth_feed why)
{
	struct auth_word word = {kind, job->slot, job->generation, why, job->mail};

	handoff_post(job->pair->words, &word);
}

static void end_mail(struct auth_job *job)
{
	if (job->mail)
		auth_mail_end(job->mail);
	job->mail = NULL;
}

static void refuse(struct auth_lcore *lcore, struct auth_job *job, enum auth_feed why)
{
	count(lcore, AUTH_LCORE_REFUSED);
	end_mail(job);
	job->state = AUTH_JOB_REFUSED;
	tell(job, AUTH_WORD_REFUSED, why);
}

static void begin(struct auth_lcore *lcore, struct auth_job *job, const struct auth_ask *ask)
{
	count(lcore, AUTH_LCORE_BEGUN);
	job->generation = ask->generation;
	job->mail = auth_mail_begin(lcore->engine, ask->envelope, lcore->now_us);
	if (!job->mail) {
		refuse(lcore, job, AUTH_FEED_NO_MEMORY);
		return;
	}
	auth_mail_set_user(job->mail, job);
	job->state = AUTH_JOB_OPEN;
}

static void take_content(struct auth_lcore *lcore, struct auth_job *job, struct chunk_range range)
{
	enum auth_feed fed;

	count(lcore, AUTH_LCORE_RANGES);
	counter_add(&lcore->counts[AUTH_LCORE_OCTETS], chunk_range_len(range));
	fed = auth_mail_content(job->mail, chunk_range_bytes(range), lcore->now_us);
	if (fed != AUTH_FEED_OK)
		refuse(lcore, job, fed);
}

static void take_end(struct auth_lcore *lcore, struct auth_job *job)
{
	enum auth_feed fed = auth_mail_content_end(job->mail, lcore->now_us);

	if (fed != AUTH_FEED_OK)
		refuse(lcore, job, fed);
}

static void forget(struct auth_lcore *lcore, struct auth_job *job)
{
	if (job->state == AUTH_JOB_OPEN)
		count(lcore, AUTH_LCORE_ABORTED);
	end_mail(job);
	job->state = AUTH_JOB_NONE;
	tell(job, AUTH_WORD_DONE, AUTH_FEED_OK);
}

static void take_ask(struct auth_lcore *lcore, struct auth_job *job, const struct auth_ask *ask)
{
	if (ask->kind == AUTH_ASK_BEGIN)
		begin(lcore, job, ask);
	else if (ask->kind == AUTH_ASK_FORGET)
		forget(lcore, job);
	else if (job->state != AUTH_JOB_OPEN)
		; /* decided or refused here, of which the io lcore has yet to hear */
	else if (ask->kind == AUTH_ASK_CONTENT)
		take_content(lcore, job, ask->range);
	else if (ask->kind == AUTH_ASK_END)
		take_end(lcore, job);
	else
		auth_mail_give_up(job->mail, lcore->now_us);
}

/* Content is borrowed until the engine has run over it. */
struct borrowed {
	unsigned n;
	struct chunk *chunks[AUTH_LCORE_MAX_IO * BURST];
	uint64_t credit[AUTH_LCORE_MAX_IO];
};

static unsigned take_asks(struct auth_lcore *lcore, unsigned io, struct borrowed *borrowed)
{
	struct auth_ask asks[BURST];
	unsigned n = handoff_take(lcore->io[io].pair->asks, asks, BURST);

	borrowed->credit[io] = 0;
	for (unsigned i = 0; i < n; i++) {
		if (asks[i].kind == AUTH_ASK_CONTENT) {
			borrowed->chunks[borrowed->n++] = asks[i].range.chunk;
			borrowed->credit[io] += auth_pair_credit(asks[i].range);
		}
		take_ask(lcore, &lcore->io[io].jobs[asks[i].slot], &asks[i]);
	}
	return n;
}

static void give_back(struct auth_lcore *lcore, struct borrowed *borrowed)
{
	for (unsigned i = 0; i < borrowed->n; i++)
		chunk_release(borrowed->chunks[i]);
	for (unsigned i = 0; i < lcore->n_io; i++)
		auth_pair_took(lcore->io[i].pair, borrowed->credit[i]);
}

/* --- a poll round -------------------------------------------------------------------------------
 */

static unsigned tell_verdicts(struct auth_lcore *lcore)
{
	struct auth_mail *mail;
	unsigned n = 0;

	for (; (mail = auth_engine_next_ready(lcore->engine)) != NULL; n++) {
		struct auth_job *job = auth_mail_user(mail);

		count(lcore, AUTH_LCORE_VERDICTS);
		job->state = AUTH_JOB_TOLD;
		tell(job, AUTH_WORD_VERDICT, AUTH_FEED_OK);
	}
	return n;
}

unsigned auth_lcore_round(struct auth_lcore *lcore, uint64_t now_us)
{
	struct borrowed borrowed;
	unsigned n;

	lcore->now_us = now_us;
	count(lcore, AUTH_LCORE_POLLS);
	borrowed.n = 0;
	n = asker_take(&lcore->asker, lcore->engine, now_us);
	for (unsigned i = 0; i < lcore->n_io; i++)
		n += take_asks(lcore, i, &borrowed);
	n += auth_engine_run(lcore->engine, now_us, n == 0, BUDGET_US);
	give_back(lcore, &borrowed);
	n += tell_verdicts(lcore);
	counter_add(&lcore->counts[AUTH_LCORE_QUESTIONS], asker_send(&lcore->asker, lcore->engine));
	for (unsigned i = 0; i < lcore->n_io; i++)
		handoff_ring(lcore->io[i].pair->words);
	return n;
}

/* --- the thread ---------------------------------------------------------------------------------
 */

static bool stopping(const struct auth_lcore *lcore)
{
	return atomic_load_explicit(&lcore->stop, memory_order_acquire);
}

static bool has_work(const struct auth_lcore *lcore)
{
	for (unsigned i = 0; i < lcore->n_io; i++)
		if (!handoff_is_empty(lcore->io[i].pair->asks))
			return true;
	return asker_has_answers(&lcore->asker);
}

static void sleep_until_work(struct auth_lcore *lcore)
{
	uint64_t next = auth_engine_deadline_us(lcore->engine);
	uint64_t us = SLEEP_MAX_US;

	if (next <= lcore->now_us)
		return;
	if (next - lcore->now_us < us)
		us = next - lcore->now_us;
	doorbell_prepare(&lcore->bell);
	if (has_work(lcore) || stopping(lcore)) {
		doorbell_cancel(&lcore->bell);
		return;
	}
	count(lcore, AUTH_LCORE_SLEEPS);
	doorbell_wait(&lcore->bell, NULL, 0, us);
}

static void rest(struct auth_lcore *lcore, bool had_work)
{
	if (had_work)
		lcore->idle_rounds = 0;
	else if (!atomic_load_explicit(&lcore->busy, memory_order_relaxed) &&
		 ++lcore->idle_rounds > IDLE_ROUNDS)
		sleep_until_work(lcore);
}

void auth_lcore_set_busy(struct auth_lcore *lcore, bool busy)
{
	atomic_store_explicit(&lcore->busy, busy, memory_order_relaxed);
	doorbell_ring(&lcore->bell);
}

void *auth_lcore_main(void *arg)
{
	struct auth_lcore *lcore = arg;

	clock_fast_init(&lcore->clock);
	for (;;) {
		bool had_work = auth_lcore_round(lcore, clock_fast_us(&lcore->clock)) > 0;

		if (!had_work && stopping(lcore))
			return NULL;
		rest(lcore, had_work);
	}
}
