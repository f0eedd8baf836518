#include "spool/queue/replies.h"

#include <stdio.h>
#include <string.h>

void replies_init(struct replies *r)
{
	memset(r, 0, sizeof(*r));
	for (uint32_t i = REPLIES_MAX - 1; i > 0; i--) {
		r->slots[i].next = r->free;
		r->free = i;
	}
}

/* FNV-1a: what a hostile server could do is make a chain long, of at most REPLIES_MAX. */
static uint32_t bucket_of(const char *text)
{
	uint32_t hash = 2166136261u;

	while (*text)
		hash = (hash ^ (uint8_t)*text++) * 16777619u;
	return hash % REPLIES_MAX;
}

uint32_t replies_add(struct replies *r, const char *text)
{
	char cut[REPLIES_TEXT_MAX];
	uint32_t *bucket, i;

	snprintf(cut, sizeof(cut), "%s", text);
	if (!*cut)
		return 0;
	bucket = &r->buckets[bucket_of(cut)];
	for (i = *bucket; i && strcmp(r->slots[i].text, cut) != 0; i = r->slots[i].next)
		;
	if (!i) {
		i = r->free;
		if (!i) {
			r->crowded++;
			return 0;
		}
		r->free = r->slots[i].next;
		strcpy(r->slots[i].text, cut);
		r->slots[i].next = *bucket;
		*bucket = i;
	}
	r->slots[i].users++;
	return i;
}

void replies_drop(struct replies *r, uint32_t number)
{
	uint32_t *link;

	if (number == 0 || --r->slots[number].users > 0)
		return;
	for (link = &r->buckets[bucket_of(r->slots[number].text)]; *link != number;)
		link = &r->slots[*link].next;
	*link = r->slots[number].next;
	r->slots[number].next = r->free;
	r->free = number;
}

const char *replies_text(const struct replies *r, uint32_t number)
{
	return r->slots[number].text;
}
