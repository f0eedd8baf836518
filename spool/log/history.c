#include "spool/log/history.h"

#include "spool/log/item.h"

#include <errno.h>

#include "base/counters.h"
#include "base/testing.h"

#define ADDRESS_MAX 64

static uint64_t id_of(uint32_t mail)
{
	return (UINT64_C(1790000000000000) + mail) << 10;
}

static uint32_t mail_of(uint64_t queue_id)
{
	return (uint32_t)((queue_id >> 10) - UINT64_C(1790000000000000));
}

/* Octet `at` of a mail's content. */
static uint8_t octet_of(uint32_t mail, uint32_t at)
{
	uint32_t x = mail * 2654435761u + at / 4 * 40503u;

	return (uint8_t)(x >> (8 * (at % 4)));
}

void history_init(struct history *h, struct chunk_pool *pool, uint64_t seed, uint64_t max_octets)
{
	memset(h, 0, sizeof(*h));
	h->random = seed;
	h->max_octets = max_octets;
	h->pool = pool;
}

void history_fini(struct history *h)
{
	history_close(h);
	chunk_pool_collect(h->pool);
	assert_int_equal(chunk_pool_in_use(h->pool), 0);
}

static void fill(struct chunk *c, uint32_t mail, uint32_t from, uint32_t octets)
{
	for (uint32_t i = 0; i < octets; i++)
		chunk_tail(c)[i] = octet_of(mail, from + i);
	chunk_publish(c, octets);
}

#define RANGES_MAX 64u

/* Content [from, to) of a mail in chunks. */
static unsigned ranges_of(struct history *h, uint32_t mail, uint32_t from, uint32_t to,
	struct chunk_range ranges[RANGES_MAX])
{
	unsigned n = 0;

	while (from < to) {
		struct chunk *c = chunk_get(h->pool, n ? CHUNK_LARGE : CHUNK_SMALL);
		uint32_t octets;

		assert_non_null(c);
		octets = to - from < chunk_room(c) ? to - from : chunk_room(c);
		fill(c, mail, from, octets);
		ranges[n++] = (struct chunk_range){c, 0, octets};
		assert_true(n < RANGES_MAX);
		from += octets;
	}
	return n;
}

static void release(struct chunk_range *ranges, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		chunk_release(ranges[i].chunk);
}

struct addresses {
	char text[SPOOL_MAX_RECIPIENTS][ADDRESS_MAX];
	struct spool_recipient list[SPOOL_MAX_RECIPIENTS];
};

static void address_all(struct addresses *a, uint32_t mail, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		snprintf(a->text[i], ADDRESS_MAX, "r%u.%u@example.org", i, mail);
		a->list[i] = (struct spool_recipient){
			.address = bytes_str(a->text[i]),
			.flags = i % 3 == 1 ? SPOOL_RCPT_QUARANTINE : 0,
			.notify = i % 4 == 2 ? DSN_SUCCESS | DSN_DELAY : 0,
			.orcpt =
				i % 5 == 3 ? BYTES("rfc822;first+20choice@example.org") : BYTES(""),
		};
	}
}

static const struct spool_cut cuts[] = {{0, 3}, {5, 5}, {7, 9}};

static struct spool_envelope envelope_of(
	uint32_t mail, const struct history_mail *m, const struct addresses *a)
{
	return (struct spool_envelope){
		.queue_id = id_of(mail),
		.received_unix_us = mail,
		.flags = (m->shelf ? SPOOL_MAIL_HOLD : 0) | SPOOL_MAIL_8BIT,
		.reverse_path = mail % 5 ? BYTES("sender@example.com") : BYTES(""),
		.client = BYTES("mx.example.com [192.0.2.1]"),
		.n_recipients = m->n_recipients,
		.recipients = a->list,
		.prepend = BYTES("Received: from here\r\n\tby there\r\n"),
		.quarantine_prepend = BYTES("X-Postern-Quarantine: yes\r\n"),
		.trace = BYTES("spf=pass"),
		.envid = mail % 7 == 1 ? BYTES("QQ314159") : BYTES(""),
		.n_cuts = m->octets >= 9 ? 3 : 0,
		.cuts = cuts,
		.content_octets = m->octets,
	};
}

static int send_ahead(struct history *h, uint32_t mail, uint32_t ahead)
{
	struct chunk_range ranges[RANGES_MAX];
	unsigned n = ranges_of(h, mail, 0, ahead, ranges);
	int r = spool_log_extent(h->log, id_of(mail), ranges, n / 2);

	if (r == 0)
		r = spool_log_extent(h->log, id_of(mail), ranges + n / 2, n - n / 2);
	release(ranges, n);
	return r;
}

int history_commit(struct history *h, uint32_t octets, uint32_t ahead)
{
	uint32_t mail = h->n_mails++;
	struct history_mail *m = &h->mails[mail];
	struct addresses *a = malloc(sizeof(*a));
	struct chunk_range ranges[RANGES_MAX];
	struct spool_envelope e;
	unsigned n;
	int r = 0;

	assert_true(mail < HISTORY_MAILS);
	m->octets = octets;
	m->n_recipients = test_random(&h->random) % 16 ? 1 + test_random(&h->random) % 3
						       : 1 + test_random(&h->random) % 100;
	m->shelf = test_random(&h->random) % 16 == 0 ? SPOOL_ON_HOLD : SPOOL_IN_QUEUE;
	m->shelves = 1u << m->shelf;
	address_all(a, mail, m->n_recipients);
	e = envelope_of(mail, m, a);
	if (ahead)
		r = send_ahead(h, mail, ahead);
	if (r != 0)
		spool_log_abort(h->log, id_of(mail));
	if (r == 0) {
		n = ranges_of(h, mail, ahead, octets, ranges);
		r = spool_log_commit(
			h->log, &e, ranges, n, (struct spool_cookie){{mail, id_of(mail)}});
		release(ranges, n);
	}
	m->fate = r == 0 ? HISTORY_OPEN : HISTORY_REFUSED;
	free(a);
	return r;
}

/* What was refused or done before a sync that went well is settled. */
static void settle(struct history *h)
{
	h->good_syncs++;
	for (uint32_t i = 0; i < h->n_mails; i++) {
		struct history_mail *m = &h->mails[i];

		if (m->fate == HISTORY_REFUSED || m->fate == HISTORY_DONE)
			m->settled = true;
		m->n_surely = m->n_done;
		m->shelves = 1u << m->shelf;
	}
}

uint64_t history_counter(const struct spool_log *log, const char *name)
{
	const struct counter_block *b = spool_log_counters(log);

	for (size_t i = 0; i < b->set->count; i++)
		if (strcmp(b->set->entries[i].name, name) == 0)
			return counter_get(&b->values[i]);
	fail_msg("no counter %s", name);
	return 0;
}

static void on_ack(void *arg, const struct spool_ack *ack)
{
	struct history *h = arg;
	struct history_mail *m = &h->mails[ack->cookie.word[0]];

	assert_int_equal(ack->queue_id, ack->cookie.word[1]);
	assert_int_equal(m->fate, HISTORY_OPEN);
	assert_int_equal(ack->error == 0, ack->item != NULL);
	m->fate = ack->error == 0 ? HISTORY_ACKED : HISTORY_REFUSED;
	m->item = ack->item;
}

void history_sync(struct history *h)
{
	uint64_t good = history_counter(h->log, "spool_syncs"),
		 bad = history_counter(h->log, "spool_sync_failed");

	spool_log_sync(h->log, on_ack, h);
	if (history_counter(h->log, "spool_syncs") > good &&
		history_counter(h->log, "spool_sync_failed") == bad &&
		spool_log_pending(h->log) == 0)
		settle(h);
}

void history_done(struct history *h, uint32_t mail)
{
	struct history_mail *m = &h->mails[mail];

	if (m->fate != HISTORY_ACKED)
		return;
	if (spool_log_done(h->log, id_of(mail), m->n_done, SPOOL_DELIVERED) != 0)
		return;
	if (++m->n_done < m->n_recipients)
		return;
	m->fate = HISTORY_DONE;
	spool_item_release(m->item);
	m->item = NULL;
}

static void hold(struct history *h, uint32_t mail)
{
	struct history_mail *m = &h->mails[mail];

	enum spool_shelf shelf = (m->shelf + 1) % SPOOL_N_SHELVES;

	if (m->fate != HISTORY_ACKED || spool_log_shelve(h->log, id_of(mail), shelf, mail + 1) != 0)
		return;
	m->shelf = shelf;
	m->shelves |= 1u << shelf;
}

static void commit_some(struct history *h)
{
	uint64_t dice = test_random(&h->random);
	uint32_t octets = (uint32_t)(test_random(&h->random) % (dice % 4 ? 3000 : h->max_octets));
	uint32_t ahead = 0;

	if (dice % 8 == 0 && octets > 1)
		ahead = (uint32_t)(test_random(&h->random) % octets);
	history_commit(h, octets, ahead);
}

/* A mail that arrives in part, and comes to nothing: aborted, or never heard of again. */
static void abandon_some(struct history *h)
{
	uint32_t mail = h->n_mails++;
	struct history_mail *m = &h->mails[mail];

	assert_true(mail < HISTORY_MAILS);
	m->octets = 2 + (uint32_t)(test_random(&h->random) % h->max_octets);
	m->n_recipients = 1;
	m->fate = HISTORY_REFUSED;
	send_ahead(h, mail, m->octets);
	if (test_random(&h->random) % 4)
		spool_log_abort(h->log, id_of(mail));
}

void history_step(struct history *h)
{
	uint64_t dice = test_random(&h->random) % 32;
	uint32_t mail = h->n_mails ? (uint32_t)(test_random(&h->random) % h->n_mails) : 0;

	if (dice < 8 || h->n_mails == 0)
		commit_some(h);
	else if (dice < 9)
		abandon_some(h);
	else if (dice < 16)
		history_done(h, mail);
	else if (dice < 19)
		hold(h, mail);
	else if (dice < 26)
		history_sync(h);
	else if (dice < 29)
		spool_log_fill(h->log);
	else
		spool_log_tidy(h->log);
}

void history_close(struct history *h)
{
	for (uint32_t i = 0; i < h->n_mails; i++) {
		spool_item_release(h->mails[i].item);
		h->mails[i].item = NULL;
	}
	spool_log_close(h->log);
	h->log = NULL;
}

static void check_content(uint32_t mail, struct bytes content)
{
	for (uint32_t i = 0; i < content.len; i++)
		if (content.data[i] != octet_of(mail, i))
			fail_msg("mail %u differs at octet %u", mail, i);
}

static void check_bytes(struct bytes got, struct bytes wanted)
{
	assert_true(bytes_eq(got, wanted));
}

static void check_view(struct history *h, uint32_t mail, const struct spool_item *item)
{
	const struct history_mail *m = &h->mails[mail];
	struct addresses *a = malloc(sizeof(*a));
	struct spool_envelope e;
	struct spool_view v;

	address_all(a, mail, m->n_recipients);
	e = envelope_of(mail, m, a);
	assert_int_equal(spool_view_open(h->log, item, &v), 0);
	assert_int_equal(v.envelope.queue_id, e.queue_id);
	assert_int_equal(v.envelope.content_octets, m->octets);
	assert_int_equal(v.content.len, m->octets);
	check_content(mail, v.content);
	check_bytes(v.envelope.reverse_path, e.reverse_path);
	check_bytes(v.envelope.client, e.client);
	check_bytes(v.envelope.prepend, e.prepend);
	check_bytes(v.envelope.quarantine_prepend, e.quarantine_prepend);
	check_bytes(v.envelope.trace, e.trace);
	assert_int_equal(v.envelope.n_cuts, e.n_cuts);
	assert_memory_equal(v.envelope.cuts, cuts, e.n_cuts * sizeof(cuts[0]));
	assert_int_equal(v.envelope.n_recipients, e.n_recipients);
	for (uint32_t i = 0; i < e.n_recipients; i++) {
		check_bytes(v.envelope.recipients[i].address, e.recipients[i].address);
		check_bytes(v.envelope.recipients[i].orcpt, e.recipients[i].orcpt);
		assert_int_equal(v.envelope.recipients[i].notify, e.recipients[i].notify);
		assert_int_equal(v.envelope.recipients[i].flags, e.recipients[i].flags);
	}
	spool_view_close(&v);
	free(a);
}

void history_check_views(struct history *h)
{
	for (uint32_t i = 0; i < h->n_mails; i++)
		if (h->mails[i].fate == HISTORY_ACKED)
			check_view(h, i, h->mails[i].item);
}

/* What was not durable may have come back or not; the model follows. */
static void adopt(struct history *h, uint32_t mail, struct spool_item *item)
{
	struct history_mail *m = &h->mails[mail];

	assert_true(mail < h->n_mails);
	if (m->item)
		fail_msg("mail %u came twice", mail);
	if (m->settled)
		fail_msg("mail %u came back, though %s", mail,
			m->fate == HISTORY_DONE ? "done" : "refused");
	m->item = item;
	m->shelf = item_shelf(item);
	if (!(m->shelves >> m->shelf & 1))
		fail_msg("mail %u came back on shelf %u, of %x", mail, m->shelf, m->shelves);
	m->shelves = 1u << m->shelf;
	for (uint32_t i = 0; i < m->n_recipients; i++)
		if (spool_item_recipient_done(item, i) && i >= m->n_done)
			fail_msg("recipient %u of mail %u was never done", i, mail);
	for (m->n_done = 0; spool_item_recipient_done(item, m->n_done); m->n_done++)
		;
	if (m->n_done < m->n_surely)
		fail_msg("recipient %u of mail %u came back, though done", m->n_done, mail);
	m->n_surely = m->n_done;
	m->fate = HISTORY_ACKED;
}

void history_check_recovered(struct history *h, struct spool_log *log)
{
	struct spool_item *item;

	h->log = log;
	while ((item = spool_log_recovered(log))) {
		uint32_t mail = mail_of(spool_item_queue_id(item));

		assert_true(spool_item_queue_id(item) <= spool_log_highest_queue_id(log));
		adopt(h, mail, item);
		check_view(h, mail, item);
	}
	for (uint32_t i = 0; i < h->n_mails; i++) {
		struct history_mail *m = &h->mails[i];

		if (m->fate == HISTORY_ACKED && !m->item)
			fail_msg("mail %u was acknowledged and is lost", i);
		if (!m->item && m->fate != HISTORY_NONE) {
			/* Gone for good: must not come back at the next start either. */
			m->fate = HISTORY_REFUSED;
			m->settled = true;
		}
	}
}
