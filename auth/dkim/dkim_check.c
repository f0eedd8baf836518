#include "auth/dkim/dkim_check.h"

void dkim_check_init(struct dkim_check *check, const struct dkim_sig *sig,
	struct crypto_queue *queue, unsigned min_rsa_bits)
{
	*check = (struct dkim_check){.queue = queue, .sig = sig, .min_rsa_bits = min_rsa_bits};
}

static void settle(struct dkim_check *check, enum auth_result result, const char *reason)
{
	check->result = result;
	check->reason = reason;
	check->done = true;
	check->done_us = crypto_now_us(check->queue);
	if (check->settled)
		check->settled(check->owner);
}

/* Why this key cannot serve this signature; NULL if it can. */
static const char *unfit(
	const struct dkim_check *check, const struct dkim_key *key, enum auth_result *result)
{
	const struct dkim_sig *sig = check->sig;

	*result = AUTH_PERMERROR;
	if (key->status != DKIM_KEY_OK)
		return dkim_key_token(key->status);
	if (pubkey_algorithm(key->pubkey) != sig->algorithm)
		return "key_algorithm_mismatch";
	if (!key->allows_sha256)
		return "key_disallows_hash";
	if (!key->allows_email)
		return "key_not_for_email";
	if (key->strict && sig->subdomain)
		return "identity_not_domain"; /* t=s */
	if (sig->algorithm == PUBKEY_RSA && pubkey_bits(key->pubkey) < check->min_rsa_bits) {
		*result = AUTH_POLICY; /* RFC 8301 §3.2 */
		return "key_too_small";
	}
	return NULL;
}

static void key_checked(struct pubkey_job *job);

/* Start with the next key that fits. `failed`: one that did fit has not verified it. */
static void try_key(struct dkim_check *check, bool failed)
{
	const char *reason = "no_key";
	enum auth_result result = AUTH_PERMERROR;

	for (; check->keys && check->next_key < check->keys->n; check->next_key++) {
		const struct dkim_key *key = &check->keys->key[check->next_key];
		enum auth_result why;
		const char *wrong = unfit(check, key, &why);
		if (wrong) {
			if (check->next_key == 0) {
				reason = wrong;
				result = why;
			}
			if (key->pubkey && !check->key_bits)
				check->key_bits = pubkey_bits(key->pubkey);
			continue;
		}
		check->testing = key->testing;
		check->key_bits = pubkey_bits(key->pubkey);
		check->job.key = key->pubkey;
		check->job.signature = check->sig->signature;
		check->job.done = key_checked;
		check->job.owner = check;
		check->next_key++;
		crypto_add_pubkey(check->queue, &check->job);
		return;
	}
	if (failed)
		settle(check, AUTH_FAIL, "signature_mismatch");
	else
		settle(check, result, reason);
}

static void key_checked(struct pubkey_job *job)
{
	struct dkim_check *check = job->owner;
	if (check->done)
		return;
	if (job->verdict == PUBKEY_GOOD)
		settle(check, AUTH_PASS, NULL);
	else
		try_key(check, true);
}

static void key_answered(void *owner, uint32_t tag, const struct dns_answer *answer)
{
	struct dkim_check *check = owner;
	(void)tag;
	if (check->done || check->answered)
		return;
	check->answered = true;
	check->answered_us = crypto_now_us(check->queue);
	if (dns_answer_is_temporary(answer)) {
		settle(check, AUTH_TEMPERROR, "key_unavailable");
		return;
	}
	if (answer->outcome == DNS_OK && !answer->parsed) {
		settle(check, AUTH_TEMPERROR, "no_memory");
		return;
	}
	check->keys = answer->outcome == DNS_OK ? answer->parsed : NULL;
	if (!check->keys || check->keys->n == 0)
		settle(check, AUTH_PERMERROR, "no_key");
	else if (check->has_digest)
		try_key(check, false);
}

const char *dkim_check_ask(struct dkim_check *check, struct dns_asks *asks)
{
	struct dns_question question;
	char name[DNS_NAME_MAX + 1];
	struct text text;

	text_init(&text, name, sizeof(name));
	text_put(&text, check->sig->selector);
	text_put(&text, BYTES("._domainkey."));
	text_put(&text, check->sig->domain);
	if (text.overflow || !dns_question_set(&question, DNS_TXT, DNS_USE_DKIM, text_bytes(&text)))
		return "domain_malformed";
	check->asked = true;
	check->asked_us = crypto_now_us(check->queue);
	return dns_ask(asks, &question, key_answered, check, 0) ? NULL : "too_many_questions";
}

void dkim_check_digest(struct dkim_check *check, const uint8_t digest[32])
{
	if (check->done)
		return;
	memcpy(check->job.digest, digest, 32);
	check->has_digest = true;
	if (check->answered)
		try_key(check, false);
}

void dkim_check_cancel(struct dkim_check *check)
{
	check->done = true;
	crypto_cancel_pubkey(check->queue, &check->job);
}
