#include "auth/dkim/dkim_key.h"

#include "auth/dkim/dkim.h"
#include "auth/dkim/dkim_tags.h"

#include <stdlib.h>

/* A SubjectPublicKeyInfo of RSA-4096 has 550 octets; one of RSA-8192, to be told too large, 1062.
 */
#define KEY_OCTETS_MAX 2200

const char *dkim_key_token(enum dkim_key_status status)
{
	static const char *const tokens[] = {
#define X(name, token) token,
		DKIM_KEY_STATUSES(X)
#undef X
	};
	return tokens[status];
}

static enum dkim_key_status key_octets(
	struct dkim_key *key, enum pubkey_algorithm algorithm, struct bytes base64)
{
	static const enum dkim_key_status status_of[] = {
		[PUBKEY_OK] = DKIM_KEY_OK,
		[PUBKEY_MALFORMED] = DKIM_KEY_MALFORMED,
		[PUBKEY_TOO_LARGE] = DKIM_KEY_TOO_LARGE,
		[PUBKEY_NO_MEMORY] = DKIM_KEY_NO_MEMORY,
	};
	uint8_t octets[KEY_OCTETS_MAX];
	size_t len;
	if (!dkim_tags_base64(base64, octets, sizeof(octets), &len))
		return DKIM_KEY_MALFORMED;
	return status_of[pubkey_new(algorithm, bytes_of(octets, len), &key->pubkey)];
}

static bool value_is(const struct dkim_tag *tag, const char *word)
{
	return bytes_eq(tag->value, bytes_str(word));
}

static enum dkim_key_status key_read(struct dkim_key *key, const struct dkim_tags *tags)
{
	const struct dkim_tag *k = dkim_tags_find(tags, "k"), *p = dkim_tags_find(tags, "p");
	const struct dkim_tag *h = dkim_tags_find(tags, "h"), *s = dkim_tags_find(tags, "s");
	const struct dkim_tag *t = dkim_tags_find(tags, "t"), *v = dkim_tags_find(tags, "v");
	enum pubkey_algorithm algorithm = PUBKEY_RSA;

	/* §3.6.1: if there is a v=, it is the first tag. */
	if (v && (v != &tags->tag[0] || !value_is(v, "DKIM1")))
		return DKIM_KEY_NOT_DKIM;
	if (!p)
		return v ? DKIM_KEY_SYNTAX : DKIM_KEY_NOT_DKIM;
	key->allows_sha256 = !h || dkim_tags_has_item(h->value, BYTES("sha256"));
	key->allows_email = !s || dkim_tags_has_item(s->value, BYTES("*")) ||
			    dkim_tags_has_item(s->value, BYTES("email"));
	key->testing = t && dkim_tags_has_item(t->value, BYTES("y"));
	key->strict = t && dkim_tags_has_item(t->value, BYTES("s"));
	if (p->value.len == 0)
		return DKIM_KEY_REVOKED;
	if (k && value_is(k, "ed25519"))
		algorithm = PUBKEY_ED25519;
	else if (k && !value_is(k, "rsa"))
		return DKIM_KEY_ALGORITHM;
	return key_octets(key, algorithm, p->value);
}

void dkim_key_parse(struct bytes record, struct dkim_key *key)
{
	struct dkim_tags tags;

	*key = (struct dkim_key){.status = DKIM_KEY_NOT_DKIM};
	if (dkim_tags_parse(record, &tags) == DKIM_TAGS_OK)
		key->status = key_read(key, &tags);
	else if (bytes_starts(record, BYTES("v=DKIM1")))
		key->status = DKIM_KEY_SYNTAX;
}

void dkim_key_fini(struct dkim_key *key)
{
	pubkey_free(key->pubkey);
	key->pubkey = NULL;
}

/* What is no DKIM record at all makes room for one that is. */
static const void *keys_parse(const struct dns_answer *answer)
{
	struct dkim_keys *keys = calloc(1, sizeof(*keys));
	for (unsigned i = 0; keys && i < answer->n && keys->n < DKIM_KEYS_MAX; i++) {
		struct dkim_key *key = &keys->key[keys->n];
		dkim_key_parse(answer->records[i].text, key);
		if (key->status != DKIM_KEY_NOT_DKIM)
			keys->n++;
	}
	return keys;
}

static void keys_free(const void *parsed)
{
	struct dkim_keys *keys = (struct dkim_keys *)(uintptr_t)parsed;
	for (unsigned i = 0; keys && i < keys->n; i++)
		dkim_key_fini(&keys->key[i]);
	free(keys);
}

const struct dns_parser dkim_key_parser = {.parse = keys_parse, .free = keys_free};
