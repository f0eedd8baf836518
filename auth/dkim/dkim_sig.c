#include "auth/dkim/dkim_sig.h"

#include "auth/dkim/dkim_tags.h"
#include "auth/message/mailbox.h"
#include "base/arena.h"

#define ARC_INSTANCE_MAX 50 /* RFC 8617 §4.2.1 */

struct reader {
	struct dkim_sig *sig;
	enum dkim_sig_kind kind;
	struct arena *arena;
	struct dkim_tags tags;
};

typedef const char *(*read_fn)(struct reader *r, const struct dkim_tag *tag);

static bool value_is(const struct dkim_tag *tag, const char *word)
{
	return bytes_eq(tag->value, bytes_str(word));
}

static const char *read_version(struct reader *r, const struct dkim_tag *tag)
{
	(void)r;
	return value_is(tag, "1") ? NULL : "version_unknown";
}

static const char *read_algorithm(struct reader *r, const struct dkim_tag *tag)
{
	r->sig->sha1 = value_is(tag, "rsa-sha1");
	if (value_is(tag, "ed25519-sha256"))
		r->sig->algorithm = PUBKEY_ED25519;
	else if (!r->sig->sha1 && !value_is(tag, "rsa-sha256"))
		return "algorithm_unknown";
	return NULL;
}

static const char *read_signature(struct reader *r, const struct dkim_tag *tag)
{
	uint8_t octets[DKIM_SIG_OCTETS_MAX];
	size_t len;
	r->sig->cut = tag->raw;
	if (tag->value.len == 0 || !dkim_tags_base64(tag->value, octets, sizeof(octets), &len) ||
		len == 0)
		return "signature_malformed";
	r->sig->signature = arena_dup(r->arena, bytes_of(octets, len));
	return r->sig->signature.data ? NULL : "no_memory";
}

static const char *read_body_hash(struct reader *r, const struct dkim_tag *tag)
{
	size_t len;
	/* rsa-sha1 has 20 octets here, and is refused elsewhere. */
	return dkim_tags_base64(tag->value, r->sig->body_hash, sizeof(r->sig->body_hash), &len) &&
			       (len == 32 || (len == 20 && r->sig->sha1))
		       ? NULL
		       : "body_hash_malformed";
}

static bool read_canon(struct bytes word, enum dkim_canon *canon)
{
	*canon = bytes_eq(word, BYTES("relaxed")) ? DKIM_RELAXED : DKIM_SIMPLE;
	return *canon == DKIM_RELAXED || bytes_eq(word, BYTES("simple"));
}

static const char *read_canons(struct reader *r, const struct dkim_tag *tag)
{
	size_t slash = bytes_find(tag->value, '/');
	struct bytes body = BYTES("simple"); /* the default where only one is named */
	if (slash != BYTES_NPOS)
		body = bytes_from(tag->value, slash + 1);
	struct bytes header = bytes_slice(tag->value, 0, slash);
	return read_canon(header, &r->sig->header) && read_canon(body, &r->sig->body)
		       ? NULL
		       : "canonicalization_unknown";
}

static const char *read_domain(struct reader *r, const struct dkim_tag *tag)
{
	return mailbox_domain_to_ascii(tag->value, r->arena, &r->sig->domain) ? NULL
									      : "domain_malformed";
}

static const char *read_selector(struct reader *r, const struct dkim_tag *tag)
{
	return mailbox_domain_to_ascii(tag->value, r->arena, &r->sig->selector)
		       ? NULL
		       : "selector_malformed";
}

static const char *read_names(struct reader *r, const struct dkim_tag *tag)
{
	unsigned n = 0;
	bool from = false;
	r->sig->names = tag->value;
	for (struct bytes rest = tag->value, name; dkim_tags_next_item(&rest, &name);) {
		from |= bytes_eq_nocase(name, BYTES("from"));
		if (r->kind == DKIM_SIG_AMS && bytes_eq_nocase(name, BYTES("arc-seal")))
			return "seal_signed"; /* RFC 8617 §4.1.2 */
		if (++n > DKIM_SIG_NAMES_MAX)
			return "too_many_signed_fields";
	}
	/* RFC 6376 §5.4. For ARC only h= itself is asked for. */
	return from || r->kind != DKIM_SIG_DKIM ? NULL : "from_not_signed";
}

static const char *read_forbidden_names(struct reader *r, const struct dkim_tag *tag)
{
	(void)r, (void)tag;
	return "seal_has_h"; /* RFC 8617 §4.1.3 */
}

/* Digits only; more than any clock will reach counts as "never". */
static bool read_number(struct bytes text, uint64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (!ascii_is_digit(text.data[i]))
			return false;
		if (*value < UINT64_MAX / 16)
			*value = *value * 10 + (uint64_t)(text.data[i] - '0');
	}
	return text.len > 0;
}

static const char *read_length(struct reader *r, const struct dkim_tag *tag)
{
	return read_number(tag->value, &r->sig->body_length) ? NULL : "length_malformed";
}

static const char *read_time(struct reader *r, const struct dkim_tag *tag)
{
	r->sig->has_time = true;
	return read_number(tag->value, &r->sig->signed_s) ? NULL : "time_malformed";
}

static const char *read_expiry(struct reader *r, const struct dkim_tag *tag)
{
	r->sig->has_expiry = true;
	return read_number(tag->value, &r->sig->expires_s) ? NULL : "expiry_malformed";
}

static const char *read_query(struct reader *r, const struct dkim_tag *tag)
{
	(void)r;
	return dkim_tags_has_item(tag->value, BYTES("dns/txt")) ? NULL : "query_unknown";
}

static int hex_digit(int c)
{
	return ascii_is_digit(c) ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* dkim-quoted-printable (RFC 6376 §2.11): blanks are nothing, "=" and two digits an octet. */
static bool unquote(struct bytes text, struct arena *arena, struct bytes *out)
{
	uint8_t *octets = arena_alloc(arena, text.len, 1);
	struct cursor in = cursor_of(text);
	size_t n = 0;

	if (!octets)
		return false;
	for (int c; (c = cursor_next(&in)) >= 0;) {
		if (ascii_is_wsp(c) || c == '\r' || c == '\n')
			continue;
		if (c == '=') {
			int high = hex_digit(cursor_next(&in)), low = hex_digit(cursor_next(&in));
			if (high < 0 || low < 0)
				return false;
			c = high << 4 | low;
		}
		octets[n++] = (uint8_t)c;
	}
	*out = bytes_of(octets, n);
	return true;
}

/* i= of DKIM: its domain is d= or below it (RFC 6376 §3.5); of ARC: the instance. */
static const char *read_identity(struct reader *r, const struct dkim_tag *tag)
{
	struct dkim_sig *sig = r->sig;
	uint64_t instance;
	if (r->kind != DKIM_SIG_DKIM) {
		if (!read_number(tag->value, &instance) || instance < 1 ||
			instance > ARC_INSTANCE_MAX)
			return "instance_malformed";
		sig->instance = (unsigned)instance;
		return NULL;
	}
	struct bytes domain;
	if (!unquote(tag->value, r->arena, &sig->identity))
		return "identity_malformed";
	size_t at = bytes_rfind(sig->identity, '@');
	if (at == BYTES_NPOS ||
		!mailbox_domain_to_ascii(bytes_from(sig->identity, at + 1), r->arena, &domain))
		return "identity_malformed";
	if (bytes_eq(domain, sig->domain))
		return NULL;
	sig->subdomain = true;
	return domain.len > sig->domain.len && bytes_ends_nocase(domain, sig->domain) &&
			       domain.data[domain.len - sig->domain.len - 1] == '.'
		       ? NULL
		       : "identity_not_below_domain";
}

static const char *read_cv(struct reader *r, const struct dkim_tag *tag)
{
	r->sig->cv = tag->value;
	return value_is(tag, "none") || value_is(tag, "pass") || value_is(tag, "fail")
		       ? NULL
		       : "cv_unknown";
}

#define NEVER    0
#define OPTIONAL 1
#define REQUIRED 2

/* In the order in which they are judged; later ones lean on earlier ones. What a kind does not know
 * is ignored. */
static const struct rule {
	const char *tag;
	uint8_t in[3]; /* by enum dkim_sig_kind */
	read_fn read;
	const char *missing;
} rules[] = {
	{"v", {REQUIRED, NEVER, NEVER}, read_version, "version_missing"},
	{"d", {REQUIRED, REQUIRED, REQUIRED}, read_domain, "domain_missing"},
	{"s", {REQUIRED, REQUIRED, REQUIRED}, read_selector, "selector_missing"},
	{"a", {REQUIRED, REQUIRED, REQUIRED}, read_algorithm, "algorithm_missing"},
	{"b", {REQUIRED, REQUIRED, REQUIRED}, read_signature, "signature_missing"},
	{"bh", {REQUIRED, REQUIRED, NEVER}, read_body_hash, "body_hash_missing"},
	{"h", {REQUIRED, REQUIRED, NEVER}, read_names, "signed_fields_missing"},
	{"h", {NEVER, NEVER, OPTIONAL}, read_forbidden_names, NULL},
	{"i", {OPTIONAL, REQUIRED, REQUIRED}, read_identity, "instance_missing"},
	{"c", {OPTIONAL, OPTIONAL, NEVER}, read_canons, NULL},
	{"l", {OPTIONAL, OPTIONAL, NEVER}, read_length, NULL},
	{"t", {OPTIONAL, OPTIONAL, OPTIONAL}, read_time, NULL},
	{"x", {OPTIONAL, OPTIONAL, NEVER}, read_expiry, NULL},
	{"q", {OPTIONAL, OPTIONAL, NEVER}, read_query, NULL},
	{"cv", {NEVER, NEVER, REQUIRED}, read_cv, "cv_missing"},
};

/* What the report names even where the field is no good. */
static void read_report(struct dkim_sig *sig, const struct dkim_tags *tags)
{
	const struct {
		const char *tag;
		struct bytes *value;
	} parts[] = {{"d", &sig->domain}, {"s", &sig->selector}, {"a", &sig->a}, {"b", &sig->b}};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const struct dkim_tag *tag = dkim_tags_find(tags, parts[i].tag);
		if (tag)
			*parts[i].value = tag->value;
	}
}

const char *dkim_sig_parse(struct dkim_sig *sig, enum dkim_sig_kind kind, const struct field *field,
	struct arena *arena)
{
	struct reader r;
	const char *wrong = NULL;

	/* Its tags are many and set when they are found. */
	r.sig = sig;
	r.kind = kind;
	r.arena = arena;
	*sig = (struct dkim_sig){
		.kind = kind, .raw = field->raw, .body_length = DKIM_SIG_NO_LENGTH};
	/* ARC: seals always (RFC 8617 §5.1.1), messages where c= is absent, as those who sign them
	 * do. */
	if (kind != DKIM_SIG_DKIM)
		sig->header = sig->body = DKIM_RELAXED;
	enum dkim_tags_error error = dkim_tags_parse(field->value, &r.tags);
	read_report(sig, &r.tags);
	if (error != DKIM_TAGS_OK)
		return error == DKIM_TAGS_DUPLICATE ? "duplicate_tag" : "syntax";
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && !wrong; i++) {
		const struct rule *rule = &rules[i];
		const struct dkim_tag *tag = dkim_tags_find(&r.tags, rule->tag);
		if (rule->in[kind] != NEVER && tag)
			wrong = rule->read(&r, tag);
		else if (rule->in[kind] == REQUIRED)
			wrong = rule->missing;
	}
	if (!wrong && sig->has_time && sig->has_expiry && sig->expires_s <= sig->signed_s)
		return "expiry_before_time"; /* RFC 6376 §3.5, x= */
	return wrong;
}
