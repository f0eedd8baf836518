#pragma once

#include "auth/dkim/dkim_key.h"
#include "auth/dkim/dkim_sig.h"
#include "auth/result.h"

/*
 * The public-key half of one signature: its key from the DNS, and the check of a digest under it
 * (RFC 6376 §6.1.2, §6.1.3). With several keys at one name each that fits is tried.
 */
struct dkim_check {
	struct pubkey_job job;
	struct crypto_queue *queue;
	const struct dkim_sig *sig;
	const struct dkim_keys *keys;
	unsigned min_rsa_bits;
	unsigned next_key; /* to be tried */
	bool asked, answered, has_digest, done;
	enum auth_result result;
	const char *reason; /* NULL on pass */
	unsigned key_bits;
	bool testing;
	uint64_t asked_us, answered_us, done_us;
	void (*settled)(void *owner); /* called once, from an answer or from crypto_run() */
	void *owner;
};

void dkim_check_init(struct dkim_check *check, const struct dkim_sig *sig,
	struct crypto_queue *queue, unsigned min_rsa_bits);
/* Ask for the key. NULL, or the reason why it cannot be asked for. */
const char *dkim_check_ask(struct dkim_check *check, struct dns_asks *asks);
/* The digest that was signed. */
void dkim_check_digest(struct dkim_check *check, const uint8_t digest[32]);
/* Nothing more is wanted of it: an answer still to come is ignored. */
void dkim_check_cancel(struct dkim_check *check);
