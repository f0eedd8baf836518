#include "spool/queue/own_mail.h"

#include <stdlib.h>

void own_mails_init(struct own_mails *own, uint64_t seen)
{
	*own = (struct own_mails){0};
	/* The io lcores count from 0. */
	queue_id_init(&own->ids, QUEUE_ID_LCORE_MAX);
	queue_id_prime(&own->ids, seen);
}

void own_mails_fini(struct own_mails *own)
{
	while (own->all)
		own_mail_free(own, own->all);
}

struct own_mail *own_mail_new(struct own_mails *own, size_t content, struct bytes address,
	uint32_t n_numbers, uint64_t unix_us)
{
	struct own_mail *m = calloc(1, sizeof(*m) + content + address.len);

	if (!m)
		return NULL;
	m->numbers = calloc(n_numbers, sizeof(*m->numbers));
	if (!m->numbers) {
		free(m);
		return NULL;
	}
	m->room = content;
	m->to.address =
		bytes_of(memcpy(m->content + content, address.data, address.len), address.len);
	m->mail.envelope = (struct spool_envelope){
		.queue_id = queue_id_next(&own->ids, unix_us),
		.received_unix_us = unix_us,
		.flags = SPOOL_MAIL_RELAY,
		.client = BYTES("postern"),
		.n_recipients = 1,
		.recipients = &m->to,
	};
	m->next = own->all;
	m->link = &own->all;
	if (own->all)
		own->all->link = &m->next;
	own->all = m;
	own->count++;
	return m;
}

void own_mail_free(struct own_mails *own, struct own_mail *m)
{
	*m->link = m->next;
	if (m->next)
		m->next->link = m->link;
	own->count--;
	free(m->numbers);
	free(m);
}
