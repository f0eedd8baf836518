#include "auth/dns/dns_zone.h"

#include "auth/dns/dns_zone_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CNAME_CHAIN_MAX 16 /* names followed for one question; a loop ends here too */
#define NEGATIVE_TTL_S  60

void dns_zone_key(const struct dns_name *name, uint8_t key[DNS_ZONE_KEY_MAX], size_t *len)
{
	size_t end = name->len - 1u;

	/* The first label of the name is the last of the key. */
	*len = end;
	for (unsigned pos = 0; name->wire[pos] != 0; pos += 1u + name->wire[pos]) {
		unsigned piece = 1u + name->wire[pos];

		end -= piece;
		memcpy(key + end, name->wire + pos, piece);
	}
}

static int compare(struct bytes key, unsigned type, const struct dns_zone_entry *entry)
{
	int order = bytes_cmp(key, entry->key);

	return order ? order : (int)type - (int)entry->type;
}

static int compare_entries(const void *left, const void *right)
{
	const struct dns_zone_entry *a = left, *b = right;
	int order = compare(a->key, a->type, b);

	if (order)
		return order;
	if (a->kind != b->kind)
		return a->kind > b->kind ? -1 : 1; /* failures first */
	return a->line < b->line ? -1 : a->line > b->line;
}

/* The first entry not before {key, type}. */
static size_t lower_bound(const struct dns_zone *zone, struct bytes key, unsigned type)
{
	size_t low = 0, high = zone->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare(key, type, &zone->entries[mid]) > 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool has_name(const struct dns_zone *zone, struct bytes key)
{
	size_t at = lower_bound(zone, key, 0);

	return key.len == 0 || (at < zone->n && bytes_starts(zone->entries[at].key, key));
}

/*
 * RFC 4592 §3.3: a name that is not there takes the wildcard just below its closest encloser, if
 * that has one. Writes the name whose entries answer; false: NXDOMAIN.
 */
static bool find_source(const struct dns_zone *zone, uint8_t key[DNS_ZONE_KEY_MAX], size_t *key_len)
{
	size_t encloser = 0;

	if (has_name(zone, bytes_of(key, *key_len)))
		return true;
	for (size_t next; encloser < *key_len; encloser = next) {
		next = encloser + 1 + key[encloser];
		if (!has_name(zone, bytes_of(key, next)))
			break;
	}
	if (encloser + 2 > DNS_ZONE_KEY_MAX)
		return false;
	key[encloser] = 1;
	key[encloser + 1] = '*';
	*key_len = encloser + 2;
	return has_name(zone, bytes_of(key, *key_len));
}

/* What the entries at a name say of a type; moves `key` along one CNAME and returns true there. */
static bool answer_at(const struct dns_zone *zone, uint8_t key[DNS_ZONE_KEY_MAX], size_t *key_len,
	unsigned type, struct dns_answer *answer)
{
	static const enum dns_outcome failures[] = {
		[DNS_ZONE_SERVFAIL] = DNS_SERVFAIL,
		[DNS_ZONE_TIMEOUT] = DNS_TIMEOUT,
	};
	struct bytes name = bytes_of(key, *key_len);
	size_t at = lower_bound(zone, name, type), end = at;

	while (end < zone->n && compare(name, type, &zone->entries[end]) == 0) {
		const struct dns_zone_entry *entry = &zone->entries[end++];

		if (entry->kind != DNS_ZONE_RECORD) {
			answer->outcome = failures[entry->kind];
			return false;
		}
		if (entry->ttl_s < answer->ttl_s)
			answer->ttl_s = entry->ttl_s;
	}
	if (end > at) {
		answer->outcome = end - at > DNS_ANSWER_MAX_RECORDS ? DNS_SERVFAIL : DNS_OK;
		answer->n = answer->outcome == DNS_OK ? (uint16_t)(end - at) : 0;
		answer->records = zone->records + at;
		return false;
	}
	at = lower_bound(zone, name, DNS_ZONE_TYPE_CNAME);
	if (at == zone->n || compare(name, DNS_ZONE_TYPE_CNAME, &zone->entries[at]) != 0) {
		answer->outcome = DNS_NODATA;
		return false;
	}
	if (zone->entries[at].ttl_s < answer->ttl_s)
		answer->ttl_s = zone->entries[at].ttl_s;
	*key_len = zone->entries[at].record.name.len;
	memcpy(key, zone->entries[at].record.name.data, *key_len);
	return true;
}

const struct dns_answer *dns_zone_answer(const struct dns_zone *zone,
	const struct dns_parsers *parsers, const struct dns_question *question)
{
	struct dns_answer answer = {.outcome = DNS_SERVFAIL, .ttl_s = UINT32_MAX};
	uint8_t key[DNS_ZONE_KEY_MAX];
	struct dns_name name;
	size_t key_len;
	unsigned left = CNAME_CHAIN_MAX;

	if (!dns_name_from_text(&name, bytes_of(question->name, question->name_len)))
		return dns_answer_new(&answer, NULL);
	dns_zone_key(&name, key, &key_len);
	do {
		if (!find_source(zone, key, &key_len)) {
			answer.outcome = DNS_NXDOMAIN;
			break;
		}
	} while (answer_at(zone, key, &key_len, question->type, &answer) && --left > 0);
	if (answer.outcome != DNS_OK && answer.ttl_s > NEGATIVE_TTL_S)
		answer.ttl_s = NEGATIVE_TTL_S;
	return dns_answer_new(&answer, parsers ? parsers->of[question->use] : NULL);
}

static int order_entries(struct dns_zone *zone)
{
	if (zone->n > 0)
		qsort(zone->entries, zone->n, sizeof(*zone->entries), compare_entries);
	zone->records = calloc(zone->n + 1, sizeof(*zone->records));
	if (!zone->records)
		return -ENOMEM;
	for (size_t i = 0; i < zone->n; i++)
		zone->records[i] = zone->entries[i].record;
	return 0;
}

int dns_zone_parse(struct bytes content, const char *file, struct dns_zone **out, struct text *why)
{
	struct dns_zone *zone = calloc(1, sizeof(*zone));
	int rc = -ENOMEM;

	if (zone)
		rc = dns_zone_read(zone, content, file, why);
	if (rc == 0)
		rc = order_entries(zone);
	if (rc == -ENOMEM)
		text_printf(why, "%s: out of memory", file);
	if (rc != 0) {
		dns_zone_free(zone);
		return rc;
	}
	*out = zone;
	return 0;
}

void dns_zone_free(struct dns_zone *zone)
{
	if (!zone)
		return;
	for (size_t i = 0; i < zone->n; i++)
		free(zone->entries[i].octets);
	free(zone->entries);
	free(zone->records);
	free(zone);
}

/* Reads to the end, whatever kind of file it is (a pipe too). */
static int read_all(int fd, uint8_t **content, size_t *len)
{
	size_t room = 0;

	*content = NULL;
	*len = 0;
	for (;;) {
		if (*len == room) {
			uint8_t *more;

			if (room >= DNS_ZONE_MAX_BYTES)
				return -EFBIG;
			room = room ? room * 2 : 65536;
			more = realloc(*content, room);
			if (!more)
				return -ENOMEM;
			*content = more;
		}
		ssize_t n = read(fd, *content + *len, room - *len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		*len += (size_t)n;
	}
}

int dns_zone_load(const char *path, struct dns_zone **out, struct text *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *content = NULL;
	size_t len = 0;
	int rc = fd < 0 ? -errno : read_all(fd, &content, &len);

	if (rc == 0)
		rc = dns_zone_parse(bytes_of(content, len), path, out, why);
	else
		text_printf(why, "%s: %s", path, strerror(-rc));
	free(content);
	if (fd >= 0)
		close(fd);
	return rc;
}
