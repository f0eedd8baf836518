#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mail_date.h"
#include "base/queue_id.h"
#include "spool/queue/delivery_priv.h"
#include "spool/relay/bounce.h"

/*
 * The word to postmaster of mail that needs somebody: dead and held. A mail like any other, from
 * nobody, for a mailbox of ours.
 */

#define LISTED_MAX 50u /* of each kind; the others are counted */
/* What one of them takes in the text. */
#define LISTED_OCTETS (2 * POSTMASTER_MAX + REPLIES_TEXT_MAX + 160u)
#define FIXED_OCTETS  2048u

static const struct {
	enum delivery_state state;
	const char *head;
} kinds[] = {
	{DELIVERY_DEAD, "dead: neither to be delivered nor bounced; kept for spool.dead_keep"},
	{DELIVERY_HELD, "on hold: until somebody releases or deletes them"},
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

void delivery_digest_plan(struct delivery *d, uint64_t unix_s)
{
	d->digest_at_s = d->digest_s ? (unix_s / d->digest_s + 1) * d->digest_s : UINT64_MAX;
}

static void put_mail(struct delivery *d, const struct index_entry *e, struct text *out)
{
	char id[QUEUE_ID_TEXT_SIZE];
	struct spool_view view;

	text_printf(out, "\r\n  %s", queue_id_format(spool_item_queue_id(e->item), id));
	if (spool_view_open(d->log, e->item, &view) == 0) {
		text_put(out, BYTES(", of "));
		mail_date_put(out, view.envelope.received_unix_us / SECOND_US);
		text_put(out, BYTES("\r\n    from <"));
		bounce_put_safe(out, view.envelope.reverse_path, POSTMASTER_MAX);
		text_put(out, BYTES("> to <"));
		bounce_put_safe(out, view.envelope.recipients[0].address, POSTMASTER_MAX);
		text_putc(out, '>');
		if (view.envelope.n_recipients > 1)
			text_printf(out, " and %u more", view.envelope.n_recipients - 1);
		spool_view_close(&view);
	}
	text_put(out, BYTES("\r\n"));
	if (!e->reply)
		return;
	text_put(out, BYTES("    "));
	bounce_put_safe(out, bytes_str(replies_text(&d->replies, e->reply)), POSTMASTER_MAX);
	text_put(out, BYTES("\r\n"));
}

static void put_kind(struct delivery *d, unsigned kind, struct text *out)
{
	const struct index_list *list = &d->index.lists[kinds[kind].state];
	uint32_t n = 0;

	if (list->count == 0)
		return;
	text_printf(out, "\r\n%llu %s.\r\n", (unsigned long long)list->count, kinds[kind].head);
	for (const struct index_entry *e = list->first; e && n < LISTED_MAX; e = e->next, n++)
		put_mail(d, e, out);
	if (list->count > n)
		text_printf(
			out, "\r\n  ... and %llu more\r\n", (unsigned long long)list->count - n);
}

static void put_digest(
	struct delivery *d, const struct own_mail *m, uint64_t unix_s, struct text *out)
{
	char id[QUEUE_ID_TEXT_SIZE];

	text_put(out, BYTES("Date: "));
	mail_date_put(out, unix_s);
	text_printf(out,
		"\r\nFrom: Mail delivery <MAILER-DAEMON@%s>\r\nTo: <%s>\r\n"
		"Message-ID: <%s@%s>\r\nSubject: %s: %llu mails dead, %llu on hold\r\n"
		"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=us-ascii\r\n\r\n"
		"The mail gateway %s has mail that waits for a person.\r\n"
		"`postern queue show ID` shows one; release, requeue, export and delete are "
		"there too.\r\n",
		d->hostname, d->postmaster, queue_id_format(m->mail.envelope.queue_id, id),
		d->hostname, d->hostname, (unsigned long long)d->index.lists[DELIVERY_DEAD].count,
		(unsigned long long)d->index.lists[DELIVERY_HELD].count, d->hostname);
	for (unsigned kind = 0; kind < N_KINDS; kind++)
		put_kind(d, kind, out);
}

static uint64_t listed(const struct delivery *d)
{
	uint64_t n = 0;

	for (unsigned kind = 0; kind < N_KINDS; kind++) {
		uint64_t count = d->index.lists[kinds[kind].state].count;

		n += count < LISTED_MAX ? count : LISTED_MAX;
	}
	return n;
}

static void make(struct delivery *d, uint64_t n, uint64_t unix_s)
{
	size_t room = FIXED_OCTETS + 6 * sizeof(d->hostname) + n * LISTED_OCTETS;
	struct own_mail *m =
		own_mail_new(&d->own, room, bytes_str(d->postmaster), 1, unix_s * SECOND_US);
	struct text t;

	if (!m)
		return;
	m->mail.envelope.flags = 0; /* for a backend, not for the relay */
	text_init(&t, m->content, m->room);
	put_digest(d, m, unix_s, &t);
	m->mail.content = text_bytes(&t);
	m->mail.envelope.content_octets = t.len;
	m->mail.envelope.trace = BYTES("word to postmaster");
	delivery_ask_for(d, m);
	counter_inc(&d->counters.v[DELIVERY_DIGESTS]);
}

void delivery_digest(struct delivery *d, uint64_t unix_s)
{
	uint64_t n;

	if (unix_s < d->digest_at_s || d->finishing)
		return;
	delivery_digest_plan(d, unix_s);
	n = listed(d);
	if (n > 0 && d->postmaster[0] && d->own.count < DELIVERY_MAILS_MAX)
		make(d, n, unix_s);
}
