#include "auth/arc/arc_chain.h"
#include "auth/arc/arc_seal.h"
#include "auth/dkim/dkim_body.h"
#include "auth/pipeline_priv.h"

void pipeline_seal_header_end(struct auth_mail *mail)
{
	if (mail->engine->config.hash_all)
		mail->whole_body = dkim_body_want(
			dkim_verifier_bodies(mail->dkim), DKIM_RELAXED, DKIM_SIG_NO_LENGTH);
}

bool pipeline_seal_done(const struct auth_mail *mail)
{
	return !mail->whole_body || mail->whole_body->done;
}

static bool find_cv(enum auth_result result, enum arc_cv *cv)
{
	switch (result) {
	case AUTH_NONE: *cv = ARC_CV_NONE; return true;
	case AUTH_PASS: *cv = ARC_CV_PASS; return true;
	case AUTH_FAIL: *cv = ARC_CV_FAIL; return true;
	default: return false; /* what is not known is not sealed */
	}
}

/* Without the field's name and its CRLF. */
static struct bytes results_of(struct bytes field)
{
	size_t colon = bytes_find(field, ':');

	return bytes_trim_fws(bytes_from(field, colon + 1));
}

enum arc_seal_refusal auth_mail_seal(const struct auth_mail *mail, const struct arc_seal_key *key,
	struct arena *arena, struct arc_seal *seal)
{
	struct arc_seal_input input = {
		.results = results_of(mail->verdict.authentication_results),
		.now_unix_s = mail->now_unix_s,
	};

	if (!mail->whole_body)
		return ARC_SEAL_NO_MEMORY;
	if (!find_cv(mail->verdict.arc.result, &input.cv))
		return ARC_SEAL_CHAIN_UNCHECKED;
	memcpy(input.body_hash, mail->whole_body->digest, sizeof(input.body_hash));
	return arc_seal_prepare(key, &input, arc_verifier_chain(mail->arc),
		dkim_verifier_header(mail->dkim), arena, seal);
}
