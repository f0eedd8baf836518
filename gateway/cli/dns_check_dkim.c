#include "gateway/cli/dns_check_priv.h"

#include "auth/dkim/dkim_key.h"

/* Keys that signatures of the domain are verified by (RFC 6376 §3.6, RFC 8301, RFC 8463). */

#define BITS_WORN 1024 /* RFC 8301 §3.2: less never passes */
#define BITS_GOOD 2048

static const char *wrong_with(enum dkim_key_status status)
{
	switch (status) {
	case DKIM_KEY_NOT_DKIM: return "it is no DKIM key record";
	case DKIM_KEY_SYNTAX: return "its tags cannot be understood";
	case DKIM_KEY_ALGORITHM: return "k= is neither rsa nor ed25519";
	case DKIM_KEY_MALFORMED: return "p= is no public key; perhaps a part of it got lost";
	case DKIM_KEY_TOO_LARGE: return "the key has more than 4096 bits, which many do not take";
	default: return "it cannot be read";
	}
}

static void check_size(struct dns_check *check, const char *selector, const struct dkim_key *key)
{
	bool is_rsa = pubkey_algorithm(key->pubkey) == PUBKEY_RSA;
	unsigned bits = pubkey_bits(key->pubkey);

	if (is_rsa && bits < BITS_WORN)
		dns_check_say(check, DNS_CHECK_PROBLEM,
			"%s: RSA of %u bits, with which nothing passes any more: make one of %u",
			selector, bits, BITS_GOOD);
	else if (is_rsa && bits < BITS_GOOD)
		dns_check_say(check, DNS_CHECK_WARNING,
			"%s: RSA of %u bits still passes; make one of %u", selector, bits,
			BITS_GOOD);
	else if (is_rsa)
		dns_check_say(check, DNS_CHECK_OK, "%s: RSA of %u bits", selector, bits);
	else
		dns_check_say(check, DNS_CHECK_OK,
			"%s: Ed25519; sign by an RSA key too, as many know no other", selector);
}

static void check_key(struct dns_check *check, const char *selector, const struct dkim_key *key)
{
	if (key->status == DKIM_KEY_REVOKED) {
		dns_check_say(check, DNS_CHECK_NOTE,
			"%s: revoked (p= is empty); signatures by it fail", selector);
		return;
	}
	if (key->status != DKIM_KEY_OK) {
		dns_check_say(
			check, DNS_CHECK_PROBLEM, "%s: %s", selector, wrong_with(key->status));
		return;
	}
	check_size(check, selector, key);
	if (!key->allows_sha256)
		dns_check_say(check, DNS_CHECK_PROBLEM,
			"%s: h= leaves out sha256, and nothing else passes any more", selector);
	if (!key->allows_email)
		dns_check_say(check, DNS_CHECK_PROBLEM, "%s: s= leaves out email", selector);
	if (key->testing)
		dns_check_say(check, DNS_CHECK_NOTE,
			"%s: t=y says that it is only a test; take it out when it works", selector);
}

static void check_selector(struct dns_check *check, struct bytes domain, const char *selector)
{
	char prefix[DNS_NAME_MAX + 16];
	const struct dns_answer *answer;
	const struct dkim_keys *keys;

	snprintf(prefix, sizeof(prefix), "%s._domainkey.", selector);
	answer = dns_check_ask(check, DNS_TXT, DNS_USE_DKIM, prefix, domain);
	keys = answer->parsed;
	if (dns_check_is_lost(check, answer, prefix, domain))
		; /* said */
	else if (answer->n == 0)
		dns_check_say(check, DNS_CHECK_PROBLEM,
			"%s: no TXT record at %s%.*s, so signatures by it fail", selector, prefix,
			BYTES_FMT(domain));
	else if (!keys || keys->n == 0)
		dns_check_say(check, DNS_CHECK_PROBLEM, "%s: %s", selector,
			wrong_with(DKIM_KEY_NOT_DKIM));
	else if (keys->n > 1)
		dns_check_say(check, DNS_CHECK_PROBLEM,
			"%s: more than one key record; which one receivers take is chance",
			selector);
	for (unsigned i = 0; keys && i < keys->n; i++)
		check_key(check, selector, &keys->key[i]);
	dns_answer_release(answer);
}

/* Selectors are not listed anywhere; but where _domainkey does not exist there are none. */
static void look_for_any(struct dns_check *check, struct bytes domain)
{
	static const char prefix[] = "_domainkey.";
	const struct dns_answer *answer =
		dns_check_ask(check, DNS_TXT, DNS_USE_RAW, prefix, domain);

	if (answer->outcome == DNS_NXDOMAIN)
		dns_check_say(check, DNS_CHECK_WARNING,
			"no keys: mail is not signed; `postern dkim keygen` makes one and its "
			"record");
	else if (!dns_check_is_lost(check, answer, prefix, domain))
		dns_check_say(check, DNS_CHECK_NOTE,
			"there may be keys; name their selectors (s= in the signature) by "
			"--selector");
	dns_answer_release(answer);
}

void dns_check_dkim(
	struct dns_check *check, struct bytes domain, const char *const *selectors, unsigned n)
{
	check->part = "DKIM";
	if (n == 0)
		look_for_any(check, domain);
	for (unsigned i = 0; i < n; i++)
		check_selector(check, domain, selectors[i]);
}
