#include "gateway/threads.h"

#include "gateway/mail.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define BURST 64
/* Ranges of content that go to the log in one call: some of its extents. */
#define EXTENT_CHUNKS 16

static bool stopping(_Atomic bool *stop)
{
	return atomic_load_explicit(stop, memory_order_acquire);
}

/* --- resolver -----------------------------------------------------------------------------------
 */

/* The cache is tidied this often. */
#define TIDY_US 1000000

void resolver_thread_done(
	void *arg, const struct resolver_token *token, const struct dns_answer *answer)
{
	struct resolver_thread *self = arg;
	struct dns_reply reply = {*token, answer};

	/* An asker's credit is the size of this ring. */
	handoff_post(self->askers[token->lcore]->from_resolver, &reply);
}

static unsigned take_questions(struct resolver_thread *self)
{
	struct dns_request requests[BURST];
	unsigned total = 0;

	for (unsigned a = 0; a < self->n_askers; a++) {
		unsigned n = handoff_take(self->askers[a]->to_resolver, requests, BURST);

		for (unsigned i = 0; i < n; i++)
			resolver_ask(self->resolver, &requests[i].question, &requests[i].token);
		total += n;
	}
	return total;
}

static void ring_askers(struct resolver_thread *self)
{
	for (unsigned a = 0; a < self->n_askers; a++)
		handoff_ring(self->askers[a]->from_resolver);
}

void *resolver_main(void *arg)
{
	struct resolver_thread *self = arg;
	uint64_t tidied = clock_mono_us();

	while (!stopping(&self->stop)) {
		unsigned taken;

		doorbell_prepare(&self->bell);
		taken = take_questions(self);
		ring_askers(self);
		resolver_run_once(self->resolver, doorbell_fd(&self->bell),
			taken || stopping(&self->stop) ? 0 : 1000);
		doorbell_clear(&self->bell);
		ring_askers(self);
		if (clock_mono_us() - tidied >= TIDY_US) {
			tidied = clock_mono_us();
			dns_cache_tidy(self->cache, tidied);
		}
	}
	return NULL;
}

/* --- spooler ------------------------------------------------------------------------------------
 */

/* A mail's commit; what else it asks for is answered where it is taken. */
static void answer_mail(struct spooler_thread *self, struct spool_cookie cookie, int error)
{
	struct spool_reply reply = {
		(struct mail *)(uintptr_t)cookie.word[0], SPOOL_REQUEST_COMMIT, error};

	handoff_post(self->workers[cookie.word[1]]->from_spooler, &reply);
}

/* Content ahead of its mail's commit: copied, so that its memory goes back at once. */
static int take_extent(struct spooler_thread *self, const struct spool_request *request)
{
	struct chunk_range ranges[EXTENT_CHUNKS];
	int error = 0;

	for (struct chunk *chunk = request->chunks; chunk;) {
		struct chunk *first = chunk;
		unsigned n = 0;

		for (; chunk && n < EXTENT_CHUNKS; chunk = chunk->next)
			ranges[n++] = (struct chunk_range){chunk, 0, chunk_used(chunk)};
		if (!error)
			error = spool_log_extent(self->log, request->mail->queue_id, ranges, n);
		while (first != chunk) {
			struct chunk *next = first->next;

			chunk_release(first);
			first = next;
		}
	}
	return error;
}

static void take_request(
	struct spooler_thread *self, const struct spool_request *request, unsigned worker)
{
	struct spool_cookie cookie = {{(uintptr_t)request->mail, worker}};
	struct spool_reply reply = {request->mail, request->kind, 0};

	switch (request->kind) {
	case SPOOL_REQUEST_COMMIT:
		reply.error = spool_log_commit(self->log, &request->mail->envelope,
			request->mail->ranges, request->mail->n_ranges, cookie);
		if (reply.error == 0)
			return; /* on_ack() answers */
		break;
	case SPOOL_REQUEST_EXTENT: reply.error = take_extent(self, request); break;
	case SPOOL_REQUEST_ABORT: spool_log_abort(self->log, request->mail->queue_id); break;
	}
	handoff_post(self->workers[worker]->from_spooler, &reply);
}

static unsigned take_requests_of(struct spooler_thread *self, unsigned w)
{
	struct spool_request requests[BURST];
	unsigned n = handoff_take(self->workers[w]->to_spooler, requests, BURST);

	for (unsigned i = 0; i < n; i++)
		take_request(self, &requests[i], w);
	return n;
}

/*
 * Mail by way of the sealer. What was sent ahead of it came by the other way, and comes first:
 * it was there before the mail was.
 */
static unsigned take_sealed_of(struct spooler_thread *self, unsigned w)
{
	struct spool_request request = {.kind = SPOOL_REQUEST_COMMIT};
	struct mail *mails[BURST];
	unsigned n = handoff_take(self->workers[w]->sealed, mails, BURST);

	while (n && take_requests_of(self, w) > 0)
		;
	for (unsigned i = 0; i < n; i++) {
		request.mail = mails[i];
		take_request(self, &request, w);
	}
	return n;
}

static unsigned take_requests(struct spooler_thread *self)
{
	unsigned total = 0;

	for (unsigned w = 0; w < self->n_workers; w++) {
		total += take_requests_of(self, w);
		if (self->workers[w]->sealed)
			total += take_sealed_of(self, w);
	}
	return total;
}

/* In the place of a worker's number: the mail is delivery's own. */
#define OWN_MAIL UINT64_MAX

/* Delivery never has more of them under way than the ring holds. */
static void answer_own(
	struct spooler_thread *self, struct delivery_mail *mail, int error, struct spool_item *item)
{
	mail->error = error;
	mail->item = item;
	handoff_post(self->bounces_back, &mail);
}

static void commit_own(struct spooler_thread *self, struct delivery_mail *mail)
{
	struct spool_cookie cookie = {{(uintptr_t)mail, OWN_MAIL}};
	int error = spool_log_commit_bytes(self->log, &mail->envelope, mail->content, cookie);

	if (error)
		answer_own(self, mail, error, NULL);
}

static unsigned take_notes(struct spooler_thread *self)
{
	struct delivery_note notes[BURST];
	unsigned n = spool_log_takes_notes(self->log, BURST)
			     ? handoff_take(self->from_delivery, notes, BURST)
			     : 0;

	for (unsigned i = 0; i < n; i++) {
		if (notes[i].kind == DELIVERY_NOTE_DONE)
			spool_log_done(
				self->log, notes[i].queue_id, notes[i].recipient, notes[i].outcome);
		else if (notes[i].kind == DELIVERY_NOTE_MAIL)
			commit_own(self, notes[i].mail);
		else
			spool_log_shelve(
				self->log, notes[i].queue_id, notes[i].shelf, notes[i].since_s);
	}
	return n;
}

/* Remember what delivery's ring cannot take now: the spooler waits for nobody. */
static void keep_waiting(struct spooler_thread *self, struct spool_item *item)
{
	if (self->n_waiting == self->waiting_room) {
		unsigned room = self->waiting_room ? self->waiting_room * 2 : 1024;
		struct spool_item **more = realloc(self->waiting, room * sizeof(*more));

		if (!more) {
			/* It is in the log: the next start delivers it. */
			log_event(&self->events, LOG_SEV_ERROR, NULL,
				"event=delivery-postponed reason=no-memory until=restart");
			spool_item_release(item);
			return;
		}
		self->waiting = more;
		self->waiting_room = room;
	}
	self->waiting[self->n_waiting++] = item;
}

static void send_waiting(struct spooler_thread *self)
{
	while (self->first_waiting < self->n_waiting &&
		handoff_post(self->to_delivery, &self->waiting[self->first_waiting]))
		self->first_waiting++;
	if (self->first_waiting == self->n_waiting)
		self->first_waiting = self->n_waiting = 0;
}

static void send_item(struct spooler_thread *self, struct spool_item *item)
{
	if (self->n_waiting > 0 || !handoff_post(self->to_delivery, &item))
		keep_waiting(self, item);
}

static void on_ack(void *arg, const struct spool_ack *ack)
{
	struct spooler_thread *self = arg;

	if (ack->cookie.word[1] == OWN_MAIL) {
		answer_own(self, (struct delivery_mail *)(uintptr_t)ack->cookie.word[0], ack->error,
			ack->item);
		return;
	}
	answer_mail(self, ack->cookie, ack->error);
	if (ack->item)
		send_item(self, ack->item);
}

static void ring_all(struct spooler_thread *self)
{
	for (unsigned w = 0; w < self->n_workers; w++)
		handoff_ring(self->workers[w]->from_spooler);
	handoff_ring(self->to_delivery);
	handoff_ring(self->bounces_back);
}

/* Mails at once; notes with the next mail, or in a while. */
static bool sync_is_due(struct spooler_thread *self)
{
	uint64_t now_us;

	if (spool_log_pending(self->log) == 0) {
		self->sync_by_us = 0;
		return false;
	}
	if (spool_log_awaited(self->log) || stopping(&self->stop))
		return true;
	now_us = clock_mono_us();
	if (self->sync_by_us == 0)
		self->sync_by_us = now_us + self->done_sync_us;
	return now_us >= self->sync_by_us;
}

/* How long the spooler may sleep. */
static uint64_t spooler_nap_us(const struct spooler_thread *self)
{
	uint64_t now_us = clock_mono_us();

	if (self->n_waiting)
		return 1000;
	if (self->sync_by_us == 0)
		return 1000000;
	return self->sync_by_us > now_us ? self->sync_by_us - now_us : 0;
}

static bool spooler_round(struct spooler_thread *self)
{
	bool busy = take_requests(self) + take_notes(self) > 0;

	if (sync_is_due(self)) {
		spool_log_sync(self->log, on_ack, self);
		self->sync_by_us = 0;
		busy = true;
	}
	send_waiting(self);
	ring_all(self);
	/* With each new segment, since under load there may be no idle moment. */
	if (spool_log_wants_fill(self->log)) {
		spool_log_tidy(self->log);
		doorbell_ring(self->filler);
	}
	return busy;
}

static void recover(struct spooler_thread *self)
{
	struct spool_item *item;
	unsigned n = 0;

	for (; (item = spool_log_recovered(self->log)) != NULL; n++)
		send_item(self, item);
	log_event(&self->events, LOG_SEV_NOTICE, NULL, "event=recovered mails=%u", n);
	handoff_ring(self->to_delivery);
}

/* Nobody delivers any more; the next start finds them in the log. */
static void forget_waiting(struct spooler_thread *self)
{
	struct spool_item *item;

	while (handoff_take(self->to_delivery, &item, 1) > 0)
		spool_item_release(item);
	while (self->first_waiting < self->n_waiting)
		spool_item_release(self->waiting[self->first_waiting++]);
	free(self->waiting);
}

void *spooler_main(void *arg)
{
	struct spooler_thread *self = arg;

	recover(self);
	for (;;) {
		if (spooler_round(self))
			continue;
		if (stopping(&self->stop))
			break;
		spool_log_tidy(self->log);
		doorbell_prepare(&self->bell);
		if (spooler_round(self)) {
			doorbell_cancel(&self->bell);
			continue;
		}
		doorbell_wait(&self->bell, NULL, 0, spooler_nap_us(self));
	}
	forget_waiting(self);
	return NULL;
}

/* --- filler -------------------------------------------------------------------------------------
 */

void *filler_main(void *arg)
{
	struct filler_thread *self = arg;

	while (!stopping(&self->stop)) {
		if (spool_log_fill(self->log))
			continue;
		doorbell_prepare(&self->bell);
		doorbell_wait(&self->bell, NULL, 0, 1000000);
	}
	return NULL;
}

/* --- delivery -----------------------------------------------------------------------------------
 */

/* For the transactions under way when the daemon is to end. */
#define DELIVERY_FINISH_US 5000000

static unsigned take_items(struct delivery_thread *self)
{
	struct spool_item *items[BURST];
	unsigned n = handoff_take(self->from_spooler, items, BURST);

	for (unsigned i = 0; i < n; i++)
		delivery_add(self->delivery, items[i], clock_mono_us());
	return n;
}

static unsigned take_committed(struct delivery_thread *self)
{
	struct delivery_mail *mails[BURST];
	unsigned n = handoff_take(self->bounces_back, mails, BURST);

	for (unsigned i = 0; i < n; i++)
		delivery_committed(self->delivery, mails[i]);
	return n;
}

static void send_notes(struct delivery_thread *self)
{
	struct delivery_note note;

	while (handoff_room(self->to_spooler) > 0 && delivery_next_note(self->delivery, &note))
		handoff_post(self->to_spooler, &note);
	handoff_ring(self->to_spooler);
}

static bool has_callers(struct delivery_thread *self)
{
	return atomic_load_explicit(&self->callers, memory_order_acquire) > 0;
}

/* Let the control socket's thread have the lock when it wants it. */
static void yield_to_callers(struct delivery_thread *self)
{
	while (has_callers(self)) {
		pthread_mutex_unlock(&self->lock);
		sched_yield();
		pthread_mutex_lock(&self->lock);
	}
}

/*
 * What is on its way to a backend gets its reply, so that a restart sends no second copy; and the
 * log is told, by the spooler, which ends after us.
 */
static void finish_delivery(struct delivery_thread *self)
{
	uint64_t end = clock_mono_us() + DELIVERY_FINISH_US;

	delivery_finish(self->delivery);
	while (delivery_busy(self->delivery) && clock_mono_us() < end) {
		take_committed(self);
		delivery_run_once(self->delivery, -1, 20);
		send_notes(self);
	}
	send_notes(self);
}

void *delivery_main(void *arg)
{
	struct delivery_thread *self = arg;

	pthread_mutex_lock(&self->lock);
	while (!stopping(&self->stop)) {
		unsigned taken;

		yield_to_callers(self);
		doorbell_prepare(&self->bell);
		taken = take_items(self) + take_committed(self);
		delivery_run_once(self->delivery, doorbell_fd(&self->bell),
			taken || has_callers(self) || stopping(&self->stop) ? 0 : 1000);
		doorbell_clear(&self->bell);
		send_notes(self);
	}
	finish_delivery(self);
	pthread_mutex_unlock(&self->lock);
	return NULL;
}

/* --- relay --------------------------------------------------------------------------------------
 */

void *relay_main(void *arg)
{
	struct relay_thread *self = arg;

	while (self->relay && !stopping(&self->stop))
		relay_run_once(self->relay, 1000);
	return NULL;
}

/* --- logger -------------------------------------------------------------------------------------
 */

#define LOGGER_NAP_MS 10

void *logger_main(void *arg)
{
	struct logger_thread *self = arg;
	const struct timespec nap = {.tv_nsec = LOGGER_NAP_MS * 1000000};

	for (;;) {
		bool last = stopping(&self->stop);

		if (log_drain(&self->logger, self->sink, &self->out) +
				trace_log_some(&self->traces, &self->out) >
			0)
			continue;
		log_out_flush(&self->out);
		if (last)
			return NULL;
		nanosleep(&nap, NULL);
	}
}
