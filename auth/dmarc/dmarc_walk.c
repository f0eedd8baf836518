#include "auth/dmarc/dmarc_walk.h"

/* §4.10 step 3: a longer name goes to this many labels at once. */
#define LABELS_AFTER_FIRST 7

static unsigned count_labels(struct bytes domain)
{
	unsigned n = domain.len > 0;

	for (size_t i = 0; i < domain.len; i++)
		n += domain.data[i] == '.';
	return n;
}

bool dmarc_walk_is_below(struct bytes name, struct bytes domain)
{
	return name.len > domain.len && bytes_ends_nocase(name, domain) &&
	       name.data[name.len - domain.len - 1] == '.';
}

static struct bytes parent_of(struct bytes domain)
{
	size_t dot = bytes_find(domain, '.');

	return dot == BYTES_NPOS ? bytes_slice(domain, 0, 0) : bytes_from(domain, dot + 1);
}

void dmarc_walk_init(struct dmarc_walk *walk, struct bytes domain)
{
	unsigned labels = count_labels(domain);

	*walk = (struct dmarc_walk){.n = 0};
	while (domain.len > 0 && walk->n < DMARC_WALK_MAX) {
		walk->domain[walk->n++] = domain;
		do {
			domain = parent_of(domain);
		} while (labels-- > LABELS_AFTER_FIRST + 1);
	}
}

void dmarc_walk_share(struct dmarc_walk *walk, const struct dmarc_walk *done)
{
	for (unsigned i = 0; i < walk->n; i++) {
		for (unsigned j = 0; j < done->n; j++) {
			if (!bytes_eq(walk->domain[i], done->domain[j]))
				continue;
			walk->known[i] = true;
			walk->record[i] = done->record[j];
			walk->failed[i] = done->failed[j];
		}
	}
}

bool dmarc_walk_ask(struct dmarc_walk *walk, struct dns_asks *asks, dns_answered_fn answered,
	void *owner, uint32_t tag)
{
	struct dns_question question;
	char room[DNS_NAME_MAX + 8];
	struct text name;

	for (unsigned i = 0; i < walk->n; i++) {
		if (walk->known[i])
			continue;
		text_init(&name, room, sizeof(room));
		text_put(&name, BYTES("_dmarc."));
		text_put(&name, walk->domain[i]);
		/* A name that is too long with the label before it has no record. */
		if (name.overflow ||
			!dns_question_set(&question, DNS_TXT, DNS_USE_DMARC, text_bytes(&name)))
			continue;
		if (!dns_ask(asks, &question, answered, owner, tag + i))
			return false;
		walk->open++;
	}
	return true;
}

void dmarc_walk_answer(struct dmarc_walk *walk, unsigned index, const struct dns_answer *answer)
{
	const struct dmarc_record *record = answer->parsed;

	walk->open--;
	if (dns_answer_is_temporary(answer) || (answer->outcome == DNS_OK && !record))
		walk->failed[index] = true;
	else if (answer->outcome == DNS_OK && record->found)
		walk->record[index] = record;
	else if (answer->outcome == DNS_OK && record->several)
		walk->several = true;
}

unsigned dmarc_walk_end(const struct dmarc_walk *walk)
{
	for (unsigned i = 0; i < walk->n; i++) {
		if (walk->record[i] && walk->record[i]->psd != DMARC_PSD_UNKNOWN)
			return i;
	}
	return walk->n ? walk->n - 1 : 0;
}

bool dmarc_walk_failed(const struct dmarc_walk *walk)
{
	unsigned end = dmarc_walk_end(walk);

	for (unsigned i = 0; i < walk->n && i <= end; i++) {
		if (walk->failed[i])
			return true;
	}
	return false;
}

/* The part of `start` that has one label more than its ancestor `domain`. */
static struct bytes one_label_below(struct bytes start, struct bytes domain)
{
	size_t from = start.len - domain.len - 1; /* the dot between them */

	while (from > 0 && start.data[from - 1] != '.')
		from--;
	return bytes_from(start, from);
}

struct bytes dmarc_walk_org(const struct dmarc_walk *walk)
{
	unsigned end = dmarc_walk_end(walk), org = 0;

	for (unsigned i = 0; i < walk->n && i <= end; i++) {
		if (!walk->record[i])
			continue;
		/* psd=y at the start itself says nothing about what is below it. */
		if (walk->record[i]->psd == DMARC_PSD_YES && i > 0)
			return one_label_below(walk->domain[0], walk->domain[i]);
		org = i;
	}
	return walk->n ? walk->domain[org] : (struct bytes){NULL, 0};
}

struct bytes dmarc_walk_widest(const struct dmarc_walk *walk)
{
	unsigned end = dmarc_walk_end(walk), widest = 0;

	for (unsigned i = 0; i < walk->n && i <= end; i++) {
		if (walk->failed[i] || walk->record[i])
			widest = i;
	}
	return walk->n ? walk->domain[widest] : (struct bytes){NULL, 0};
}

const struct dmarc_record *dmarc_walk_record_at(const struct dmarc_walk *walk, struct bytes domain)
{
	unsigned end = dmarc_walk_end(walk);

	for (unsigned i = 0; i < walk->n && i <= end; i++) {
		if (bytes_eq(walk->domain[i], domain))
			return walk->record[i];
	}
	return NULL;
}
