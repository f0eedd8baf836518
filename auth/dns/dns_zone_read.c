#include "auth/dns/dns_zone_priv.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <stdlib.h>

#define DEFAULT_TTL_S 3600

/* The lines of a master file (RFC 1035 §5.1), joined to entries and read one by one by libldns. */
struct reader {
	struct dns_zone *zone;
	struct cursor rest;
	const char *file;
	struct text *why;
	uint32_t line;       /* being read */
	uint32_t entry_line; /* where the entry began */
	uint32_t ttl_s;      /* $TTL */
	ldns_rdf *owner;     /* for entries that begin with a blank */
	char *entry;         /* DNS_ZONE_LINE_MAX + 1 */
	size_t entry_len;
};

static int refuse(struct reader *r, const char *reason)
{
	text_printf(r->why, "%s:%u: %s", r->file, r->entry_line, reason);
	return -EINVAL;
}

static bool put(struct reader *r, int octet)
{
	if (r->entry_len == DNS_ZONE_LINE_MAX || octet == '\0')
		return false;
	r->entry[r->entry_len++] = (char)octet;
	return true;
}

/* Puts the next octet into the entry, an escaped one with its backslash. */
static bool put_next(struct reader *r, int octet)
{
	if (octet != '\\')
		return put(r, octet);
	int escaped = cursor_next(&r->rest);

	return escaped >= 0 && escaped != '\n' && put(r, '\\') && put(r, escaped);
}

static void skip_comment(struct reader *r)
{
	cursor_take_to(&r->rest, '\n');
}

/* One entry without comments and parentheses, on one line: 1, 0 at the end of the file, or -errno.
 */
static int next_entry(struct reader *r)
{
	unsigned depth = 0;
	bool quoted = false;
	int octet;

	r->entry_len = 0;
	r->entry_line = r->line;
	if (cursor_done(&r->rest))
		return 0;
	while ((octet = cursor_next(&r->rest)) >= 0) {
		bool ok = true;

		if (octet == '\n') {
			r->line++;
			if (quoted)
				return refuse(r, "a string is not closed");
			if (depth == 0)
				break;
			ok = put(r, ' ');
		} else if (quoted || octet == '"') {
			quoted = quoted != (octet == '"');
			ok = put_next(r, octet);
		} else if (octet == ';') {
			skip_comment(r);
		} else if (octet == '(' || octet == ')') {
			if (octet == ')' && depth == 0)
				return refuse(r, "')' without '('");
			depth += octet == '(' ? 1 : -1u;
			ok = put(r, ' ');
		} else if (octet != '\r') {
			ok = put_next(r, octet);
		}
		if (!ok)
			return refuse(r, "too long, or an octet that cannot stand there");
	}
	if (quoted || depth > 0)
		return refuse(r, quoted ? "a string is not closed" : "'(' is not closed");
	r->entry[r->entry_len] = '\0';
	return 1;
}

static struct dns_zone_entry *add_entry(struct reader *r)
{
	struct dns_zone *zone = r->zone;

	if (zone->n == zone->room) {
		size_t room = zone->room ? zone->room * 2 : 64;
		void *more = realloc(zone->entries, room * sizeof(*zone->entries));

		if (!more)
			return NULL;
		zone->entries = more;
		zone->room = room;
	}
	memset(&zone->entries[zone->n], 0, sizeof(*zone->entries));
	return &zone->entries[zone->n++];
}

static bool rdf_name(const ldns_rdf *rdf, struct dns_name *name)
{
	return ldns_rdf_get_type(rdf) == LDNS_RDF_TYPE_DNAME &&
	       dns_name_from_wire(name, bytes_of(ldns_rdf_data(rdf), ldns_rdf_size(rdf)));
}

/* Appends the owner's key and keeps room for `extra` octets behind it; NULL when memory is out. */
static struct dns_zone_entry *add_named(
	struct reader *r, const ldns_rdf *owner, unsigned type, size_t extra, uint8_t **behind)
{
	struct dns_zone_entry *entry;
	struct dns_name name;
	size_t len;

	if (!rdf_name(owner, &name))
		return NULL;
	entry = add_entry(r);
	if (!entry)
		return NULL;
	entry->octets = malloc(DNS_ZONE_KEY_MAX + extra);
	if (!entry->octets) {
		r->zone->n--;
		return NULL;
	}
	dns_zone_key(&name, entry->octets, &len);
	entry->key = bytes_of(entry->octets, len);
	entry->type = (uint16_t)type;
	entry->line = r->entry_line;
	*behind = entry->octets + len;
	return entry;
}

/* The strings of a TXT joined; the raw octets of any other data. */
static struct bytes join_data(const ldns_rr *rr, uint8_t *to)
{
	size_t len = 0;

	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		const ldns_rdf *rdf = ldns_rr_rdf(rr, i);
		size_t skip = ldns_rdf_get_type(rdf) == LDNS_RDF_TYPE_STR ? 1 : 0;

		memcpy(to + len, ldns_rdf_data(rdf) + skip, ldns_rdf_size(rdf) - skip);
		len += ldns_rdf_size(rdf) - skip;
	}
	return bytes_of(to, len);
}

static size_t data_size(const ldns_rr *rr)
{
	size_t size = DNS_NAME_WIRE_MAX; /* for a name, in whatever form */

	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++)
		size += ldns_rdf_size(ldns_rr_rdf(rr, i));
	return size;
}

static bool fill_name(struct dns_record *record, const ldns_rdf *rdf, uint8_t *to)
{
	struct dns_name name;
	size_t len;

	if (!rdf_name(rdf, &name) || !dns_name_to_text(&name, (char *)to, &len))
		return false;
	record->name = bytes_of(to, len);
	return true;
}

static bool fill_cname(struct dns_record *record, const ldns_rdf *rdf, uint8_t *to)
{
	struct dns_name name;
	size_t len;

	if (!rdf_name(rdf, &name))
		return false;
	dns_zone_key(&name, to, &len);
	record->name = bytes_of(to, len);
	return true;
}

static bool fill_record(struct dns_record *record, const ldns_rr *rr, uint8_t *to)
{
	const ldns_rdf *first = ldns_rr_rdf(rr, 0);

	switch (ldns_rr_get_type(rr)) {
	case LDNS_RR_TYPE_A: record->addr = ip_addr_v4(ldns_rdf2native_int32(first)); return true;
	case LDNS_RR_TYPE_AAAA: record->addr = ip_addr_v6(ldns_rdf_data(first)); return true;
	case LDNS_RR_TYPE_MX:
		record->preference = ldns_rdf2native_int16(first);
		return fill_name(record, ldns_rr_rdf(rr, 1), to);
	case LDNS_RR_TYPE_PTR: return fill_name(record, first, to);
	case LDNS_RR_TYPE_CNAME: return fill_cname(record, first, to);
	case LDNS_RR_TYPE_TXT:
	case LDNS_RR_TYPE_TLSA: record->text = join_data(rr, to); return true;
	default: return true; /* it makes its name exist */
	}
}

static int read_record(struct reader *r)
{
	struct dns_zone_entry *entry;
	ldns_rr *rr = NULL;
	uint8_t *behind;
	int rc = 0;
	/* The TTL is given each time: left to itself libldns takes that of the record before. */
	ldns_status status = ldns_rr_new_frm_str(&rr, r->entry, r->ttl_s, NULL, &r->owner);

	if (status != LDNS_STATUS_OK)
		return refuse(r, ldns_get_errorstr_by_id(status));
	if (ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN) {
		rc = refuse(r, "the class is not IN");
	} else {
		entry = add_named(
			r, ldns_rr_owner(rr), ldns_rr_get_type(rr), data_size(rr), &behind);
		if (!entry) {
			rc = -ENOMEM;
		} else {
			entry->ttl_s = ldns_rr_ttl(rr);
			if (!fill_record(&entry->record, rr, behind))
				rc = refuse(r, "a label with a dot in it has no use here");
		}
	}
	ldns_rr_free(rr);
	return rc;
}

#define WORDS_MAX 6

static unsigned split_words(const struct reader *r, struct bytes words[WORDS_MAX])
{
	struct cursor c = cursor_of(bytes_of(r->entry, r->entry_len));
	unsigned n = 0;

	while (n < WORDS_MAX) {
		cursor_skip_wsp(&c);
		if (cursor_done(&c))
			break;
		words[n++] = cursor_take_until(&c, ascii_is_wsp);
	}
	return n;
}

/* `NAME TTL IN SERVFAIL TYPE`: 1 if it is one, 0 if not, -errno. */
static int read_failure(struct reader *r, struct bytes *words, unsigned n)
{
	enum dns_zone_kind kind;
	struct dns_zone_entry *entry;
	uint8_t *behind;
	uint64_t ttl_s;
	char text[DNS_NAME_WIRE_MAX * 4 + 1], type[16];
	ldns_rdf *owner;

	if (n != 5 || ascii_is_wsp(r->entry[0]) || !bytes_eq_nocase(words[2], BYTES("IN")))
		return 0;
	if (bytes_eq_nocase(words[3], BYTES("SERVFAIL")))
		kind = DNS_ZONE_SERVFAIL;
	else if (bytes_eq_nocase(words[3], BYTES("TIMEOUT")))
		kind = DNS_ZONE_TIMEOUT;
	else
		return 0;
	if (bytes_to_u64(words[1], INT32_MAX, &ttl_s) != 0)
		return refuse(r, "that is no TTL");
	if (words[0].len >= sizeof(text) || words[4].len >= sizeof(type))
		return refuse(r, "too long a word");
	snprintf(text, sizeof(text), "%.*s", BYTES_FMT(words[0]));
	snprintf(type, sizeof(type), "%.*s", BYTES_FMT(words[4]));
	if (ldns_get_rr_type_by_name(type) == 0)
		return refuse(r, "unknown type");
	if (ldns_str2rdf_dname(&owner, text) != LDNS_STATUS_OK)
		return refuse(r, "that is no name");
	entry = add_named(r, owner, ldns_get_rr_type_by_name(type), 0, &behind);
	ldns_rdf_deep_free(owner);
	if (!entry)
		return -ENOMEM;
	entry->kind = kind;
	entry->ttl_s = (uint32_t)ttl_s;
	return 1;
}

static int read_entry(struct reader *r)
{
	struct bytes words[WORDS_MAX];
	unsigned n = split_words(r, words);
	uint64_t ttl_s;
	int rc;

	if (n == 0)
		return 0;
	if (bytes_eq_nocase(words[0], BYTES("$TTL"))) {
		if (n != 2 || bytes_to_u64(words[1], INT32_MAX, &ttl_s) != 0)
			return refuse(r, "$TTL takes a number of seconds");
		r->ttl_s = (uint32_t)ttl_s;
		return 0;
	}
	if (words[0].data[0] == '$')
		return refuse(r, "only $TTL is known: names are absolute");
	rc = read_failure(r, words, n);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (ascii_is_wsp(r->entry[0]) && !r->owner)
		return refuse(r, "no name stands before this line");
	return read_record(r);
}

int dns_zone_read(struct dns_zone *zone, struct bytes content, const char *file, struct text *why)
{
	struct reader r = {
		.zone = zone,
		.rest = cursor_of(content),
		.file = file,
		.why = why,
		.line = 1,
		.ttl_s = DEFAULT_TTL_S,
		.entry = malloc(DNS_ZONE_LINE_MAX + 1),
	};
	int rc = r.entry ? 1 : -ENOMEM;

	while (rc > 0) {
		rc = next_entry(&r);
		if (rc <= 0)
			break;
		rc = read_entry(&r);
		rc = rc == 0 ? 1 : rc;
	}
	ldns_rdf_deep_free(r.owner);
	free(r.entry);
	return rc;
}
