/* Verification by the auth lcores, over rings. */
#include "gateway/verifier_rings.h"

#include "gateway/mail.h"
#include "gateway/mail_stream.h"
#include "gateway/session.h"

/* Words taken at a time from one auth lcore. */
#define BURST 32

int verifier_rings_init(struct verifier_rings *rings, unsigned mails, size_t text_max)
{
	*rings = (struct verifier_rings){.text_max = text_max};
	TAILQ_INIT(&rings->waiting);
	return slab_init(&rings->slots, sizeof(struct verifier_slot) + text_max, mails);
}

void verifier_rings_fini(struct verifier_rings *rings)
{
	for (unsigned i = 0; i < rings->n_pairs; i++)
		auth_pair_free(rings->pairs[i]);
	slab_fini(&rings->slots);
}

void verifier_rings_add(struct verifier_rings *rings, struct auth_pair *pair)
{
	rings->pairs[rings->n_pairs++] = pair;
}

/* --- a mail -------------------------------------------------------------------------------------
 */

static void post(struct verifier_slot *slot, enum auth_ask_kind kind)
{
	struct auth_ask ask = {kind, slot->index, slot->generation, .envelope = &slot->envelope};

	/* The ring has room for all that may be said of each mail, and content has its credit. */
	handoff_post(slot->pair->asks, &ask);
}

/* The one with the fewest, in turn where several have. */
static struct auth_pair *choose(struct verifier_rings *rings)
{
	unsigned best = rings->next++ % rings->n_pairs;

	for (unsigned i = 0; i < rings->n_pairs; i++)
		if (rings->pairs[i]->open < rings->pairs[best]->open)
			best = i;
	return rings->pairs[best];
}

static bool keep_envelope(
	struct verifier_slot *slot, const struct auth_envelope *envelope, size_t text_max)
{
	struct bytes *helo = &slot->envelope.helo, *mail_from = &slot->envelope.mail_from;

	if (envelope->helo.len + envelope->mail_from.len > text_max)
		return false;
	slot->envelope = *envelope;
	if (helo->len > 0)
		memcpy(slot->text, helo->data, helo->len);
	helo->data = slot->text;
	if (mail_from->len > 0)
		memcpy(slot->text + helo->len, mail_from->data, mail_from->len);
	mail_from->data = slot->text + helo->len;
	return true;
}

static bool begin(struct mail *mail, const struct auth_envelope *envelope)
{
	struct verifier_rings *rings = mail->worker->rings;
	struct verifier_slot *slot = slab_get(&rings->slots);

	if (!slot) {
		worker_count(mail->worker, GATEWAY_VERIFIER_FULL);
		return false;
	}
	*slot = (struct verifier_slot){
		.mail = mail,
		.pair = choose(rings),
		.index = slab_index(&rings->slots, slot),
		.generation = ++rings->last_generation,
	};
	if (!keep_envelope(slot, envelope, rings->text_max)) {
		slab_put(&rings->slots, slot);
		return false;
	}
	slot->pair->open++;
	mail->slot = slot;
	post(slot, AUTH_ASK_BEGIN);
	return true;
}

static void note(struct verifier_rings *rings, struct verifier_slot *slot)
{
	if (slot->is_waiting)
		return;
	slot->is_waiting = true;
	TAILQ_INSERT_TAIL(&rings->waiting, slot, waiting);
}

static void forget_to_note(struct verifier_rings *rings, struct verifier_slot *slot)
{
	if (!slot->is_waiting)
		return;
	slot->is_waiting = false;
	TAILQ_REMOVE(&rings->waiting, slot, waiting);
}

static enum auth_feed feed(struct mail *mail, struct chunk_range range)
{
	struct verifier_slot *slot = mail->slot;

	if (slot->refused != AUTH_FEED_OK)
		return slot->refused;
	if (slot->behind == 0) {
		slot->chunk = range.chunk;
		slot->from = range.from;
	}
	slot->behind += chunk_range_len(range);
	note(mail->worker->rings, slot);
	return AUTH_FEED_OK;
}

static enum auth_feed end(struct mail *mail)
{
	struct verifier_slot *slot = mail->slot;

	if (slot->refused != AUTH_FEED_OK)
		return slot->refused;
	slot->ended = true;
	mail->worker->rings->awaited++;
	note(mail->worker->rings, slot);
	return AUTH_FEED_OK;
}

static void give_up(struct mail *mail)
{
	post(mail->slot, AUTH_ASK_GIVE_UP);
}

/* What was awaited has come, or is not wanted any more. */
static void await_no_more(struct verifier_rings *rings, struct verifier_slot *slot)
{
	rings->awaited -= slot->ended;
	slot->ended = false;
	slot->behind = 0;
	forget_to_note(rings, slot);
}

static void forget(struct mail *mail)
{
	struct verifier_slot *slot = mail->slot;

	mail->auth = NULL;
	mail->slot = NULL;
	if (!slot)
		return;
	await_no_more(mail->worker->rings, slot);
	slot->mail = NULL;
	post(slot, AUTH_ASK_FORGET);
}

static uint64_t behind(const struct mail *mail)
{
	return mail->slot ? mail->slot->behind : 0;
}

/* --- content, as far as there is credit ----------------------------------------------------------
 */

/* True when all of it is on its way. */
static bool pass_on(struct verifier_slot *slot)
{
	while (slot->behind > 0) {
		struct chunk_range range = {slot->chunk, slot->from, chunk_used(slot->chunk)};

		if (range.from < range.to) {
			if (!auth_pair_has_credit(slot->pair))
				return false;
			auth_pair_send(slot->pair, slot->index, slot->generation, range);
		}
		slot->behind -= chunk_range_len(range);
		slot->from = range.to;
		if (slot->behind > 0) {
			slot->chunk = slot->chunk->next;
			slot->from = 0;
		}
	}
	return true;
}

static void pass_on_some(struct worker *worker, struct verifier_slot *slot)
{
	struct mail *mail = slot->mail;

	if (!pass_on(slot)) {
		worker_count(worker, GATEWAY_VERIFIER_BEHIND);
		auth_pair_starve(slot->pair);
		note(worker->rings, slot);
	} else if (slot->ended) {
		post(slot, AUTH_ASK_END);
	} else if (mail->n_chunks > 1) {
		mail_stream_note(mail); /* which had to wait for this */
	}
	if (mail->held_us && !mail_is_full(mail))
		session_resume(mail->session);
}

/* Each once: one that goes on may have more to pass on at once. */
static void pass_on_all(struct worker *worker)
{
	struct verifier_rings *rings = worker->rings;
	struct verifier_slot *slot, *last = TAILQ_LAST(&rings->waiting, verifier_slots);
	bool more = last != NULL;

	while (more && (slot = TAILQ_FIRST(&rings->waiting)) != NULL) {
		more = slot != last;
		forget_to_note(rings, slot);
		pass_on_some(worker, slot);
	}
}

/* --- a poll round -------------------------------------------------------------------------------
 */

static void take_word(struct worker *worker, const struct auth_word *word)
{
	struct verifier_rings *rings = worker->rings;
	struct verifier_slot *slot = slab_at(&rings->slots, word->slot);
	struct mail *mail = slot->mail;

	if (word->kind == AUTH_WORD_DONE) {
		slot->pair->open--;
		slab_put(&rings->slots, slot);
	} else if (!mail || slot->generation != word->generation) {
		/* Forgotten meanwhile, which the auth lcore hears of and frees it. */
		worker_count(worker, GATEWAY_VERDICTS_GONE);
	} else if (word->kind == AUTH_WORD_VERDICT) {
		await_no_more(rings, slot);
		worker_read_clock(worker);
		mail->auth = word->mail;
		mail_verdict(mail);
	} else {
		await_no_more(rings, slot);
		slot->refused = word->why;
		mail_refused(mail, word->why);
	}
}

static unsigned verdicts(struct worker *worker)
{
	struct verifier_rings *rings = worker->rings;
	struct auth_word words[BURST];
	unsigned done = 0;

	for (unsigned p = 0; p < rings->n_pairs; p++) {
		unsigned n = handoff_take(rings->pairs[p]->words, words, BURST);

		for (unsigned i = 0; i < n; i++)
			take_word(worker, &words[i]);
		done += n;
	}
	return done;
}

/* What is asked ahead of mails is asked from here. */
static unsigned take(struct worker *worker)
{
	return asker_take(&worker->asker, NULL, worker->now_us);
}

static unsigned run(struct worker *worker, bool idle)
{
	(void)idle;
	pass_on_all(worker);
	return 0;
}

static void send(struct worker *worker)
{
	struct verifier_rings *rings = worker->rings;

	pass_on_all(worker);
	counter_add(&worker->counters.v[GATEWAY_QUESTIONS], asker_send(&worker->asker, NULL));
	for (unsigned p = 0; p < rings->n_pairs; p++)
		handoff_ring(rings->pairs[p]->asks);
}

static uint64_t deadline_us(const struct worker *worker)
{
	(void)worker;
	return UINT64_MAX;
}

/* Words, or credit for what waits for it. */
static bool has_answers(const struct worker *worker)
{
	const struct verifier_rings *rings = worker->rings;
	const struct verifier_slot *slot;

	for (unsigned p = 0; p < rings->n_pairs; p++)
		if (!handoff_is_empty(rings->pairs[p]->words))
			return true;
	if (asker_has_answers(&worker->asker))
		return true;
	TAILQ_FOREACH(slot, &rings->waiting, waiting)
	if (auth_pair_has_credit(slot->pair))
		return true;
	return false;
}

static bool awaits(const struct worker *worker)
{
	return worker->rings->awaited > 0;
}

const struct verifier verifier_rings = {
	.begin = begin,
	.feed = feed,
	.end = end,
	.give_up = give_up,
	.forget = forget,
	.behind = behind,
	.take = take,
	.run = run,
	.verdicts = verdicts,
	.send = send,
	.deadline_us = deadline_us,
	.has_answers = has_answers,
	.awaits = awaits,
};
