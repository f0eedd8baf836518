#include "auth/arc/arc_chain.h"
#include "auth/arc/arc_results.h"
#include "auth/pipeline_priv.h"
#include "auth/verdict_authres.h"

_Static_assert(AUTH_RESULTS_ROOM >= VERDICT_AUTHRES_ROOM, "the field fits");
_Static_assert(AUTH_MAX_SIGNATURES >= DKIM_MAX_SIGNATURES, "every signature has a place");

/* --- what DMARC is told --- */

struct identifiers {
	struct auth_mail *mail;
	unsigned n;
	struct dmarc_identifier id[DMARC_MAX_IDENTIFIERS];
};

static bool ends_alike(struct bytes a, struct bytes b)
{
	return bytes_ends_nocase(a, b) || bytes_ends_nocase(b, a);
}

/*
 * Takes what is authenticated, or might be. Only so many identifiers are looked at: in the first
 * round those that are the author domain, or above or below it; in the second the others.
 */
static void add_identifier(struct identifiers *ids, bool related, struct bytes domain,
	enum auth_result result, bool spf)
{
	struct bytes ascii;

	if (result != AUTH_PASS && result != AUTH_TEMPERROR)
		return;
	if (ends_alike(domain, ids->mail->from.domain[0]) != related)
		return;
	if (ids->n == DMARC_MAX_IDENTIFIERS ||
		!mailbox_domain_to_ascii(domain, &ids->mail->arena, &ascii))
		return;
	ids->id[ids->n++] = (struct dmarc_identifier){
		.domain = ascii,
		.spf = spf,
		.temporary = result == AUTH_TEMPERROR,
	};
}

/* The MAIL FROM identity, or HELO for the null sender (RFC 7489 had it so, RFC 9989 keeps it). */
static const struct spf_eval *main_spf(const struct auth_mail *mail)
{
	return mail->spf_mfrom ? mail->spf_mfrom : mail->spf_helo;
}

static struct bytes main_spf_domain(const struct auth_mail *mail)
{
	return mail->spf_mfrom ? mail->mfrom_domain : mail->helo_domain;
}

void pipeline_verdict_identify(struct auth_mail *mail)
{
	struct identifiers ids = {.mail = mail};

	for (int related = 1; related >= 0; related--) {
		add_identifier(&ids, related, main_spf_domain(mail),
			spf_eval_result(main_spf(mail)), true);
		for (unsigned i = 0; i < dkim_verifier_count(mail->dkim); i++) {
			const struct dkim_result *dkim = dkim_verifier_result(mail->dkim, i);
			add_identifier(&ids, related, dkim->domain, dkim->result, false);
		}
	}
	dmarc_eval_identifiers(mail->dmarc, ids.id, ids.n);
}

/* --- the verdict --- */

static void fill_spf(struct auth_spf *out, const struct spf_eval *eval, struct bytes domain,
	enum spf_scope scope)
{
	*out = (struct auth_spf){
		.result = spf_eval_result(eval),
		.domain = domain,
		.scope = scope,
		.explanation = spf_eval_explanation(eval),
		.reason = spf_eval_reason(eval),
		.bare_reject = spf_eval_is_bare_reject(eval),
	};
}

static void fill_dkim(struct auth_mail *mail)
{
	struct auth_verdict *verdict = &mail->verdict;

	verdict->n_dkim_fields = dkim_verifier_fields(mail->dkim);
	verdict->n_dkim = dkim_verifier_count(mail->dkim);
	for (unsigned i = 0; i < verdict->n_dkim; i++)
		verdict->dkim[i] = *dkim_verifier_result(mail->dkim, i);
}

static const struct auth_sealer *find_sealers(struct auth_mail *mail)
{
	const struct arc_chain *chain = arc_verifier_chain(mail->arc);
	struct auth_sealer *sealers = arena_alloc(
		&mail->arena, chain->length * sizeof(*sealers), _Alignof(struct auth_sealer));

	for (unsigned i = 0; sealers && i < chain->length; i++)
		sealers[i] = (struct auth_sealer){
			.domain = chain->set[i].as->domain,
			.dmarc = arc_results_find(chain->set[i].aar, BYTES("dmarc")),
		};
	return sealers;
}

static void fill_arc(struct auth_mail *mail)
{
	mail->verdict.arc = (struct auth_arc){
		.result = arc_verifier_result(mail->arc),
		.chain_length = arc_verifier_chain_length(mail->arc),
		.reason = arc_verifier_reason(mail->arc),
		.sealer = arc_verifier_sealer(mail->arc),
	};
	if (mail->verdict.arc.result == AUTH_PASS)
		mail->verdict.arc.sealers = find_sealers(mail);
}

/* Without one author domain there is nothing to evaluate (DESIGN §7). */
static void fill_no_author(const struct auth_mail *mail, struct auth_dmarc *dmarc)
{
	if (mail->from_disguised) {
		dmarc->result = AUTH_PERMERROR;
		dmarc->reason = "a disguised From field";
		dmarc->from_domains = 2; /* refused like several authors */
	} else if (mail->from_fields == 0) {
		dmarc->reason = "no From field";
	} else if (mail->from_fields > 1) {
		dmarc->result = AUTH_PERMERROR;
		dmarc->reason = "several From fields";
	} else if (mail->from_status == MAILBOX_NONE) {
		dmarc->reason = "no author domain in From";
	} else {
		dmarc->result = AUTH_PERMERROR;
		dmarc->reason = mail->from_status == MAILBOX_OK ? "several author domains"
								: "From cannot be read";
		/* What cannot be read without guessing is treated like several domains. */
		if (dmarc->from_domains < 2)
			dmarc->from_domains = 2;
	}
}

static void fill_dmarc(struct auth_mail *mail)
{
	struct auth_dmarc *dmarc = &mail->verdict.dmarc;
	const struct dmarc_eval *eval = mail->dmarc;

	dmarc->from_fields = mail->from_fields;
	dmarc->from_domains = mail->from.n;
	dmarc->has_from_domain = mail->from_fields == 1 && eval != NULL && !mail->from_disguised;
	if (!dmarc->has_from_domain) {
		fill_no_author(mail, dmarc);
		return;
	}
	dmarc->from_domain = mail->from.domain[0];
	dmarc->result = dmarc_eval_result(eval);
	dmarc->org_domain = dmarc_eval_org_domain(eval);
	dmarc->policy = dmarc_eval_policy(eval);
	dmarc->reason = dmarc_eval_reason(eval);
}

/*
 * DESIGN §7: a failed look-up matters where its answer could still turn accept into quarantine or
 * reject. A policy of none cannot; one that is not known can. SPF alone matters only where DMARC
 * says nothing.
 */
static void fill_temporary(struct auth_verdict *verdict)
{
	enum auth_result dmarc = verdict->dmarc.result;

	if (dmarc == AUTH_TEMPERROR && verdict->dmarc.policy != DMARC_POLICY_NONE) {
		verdict->temporary = true;
		verdict->temporary_reason = verdict->dmarc.reason;
	} else if (verdict->spf.result == AUTH_TEMPERROR &&
		   (dmarc == AUTH_NONE || dmarc == AUTH_PERMERROR)) {
		verdict->temporary = true;
		verdict->temporary_reason = "look-up of SPF failed";
	}
}

static void write_results(struct auth_mail *mail)
{
	const struct verdict_envelope envelope = {
		.authserv_id = bytes_str(mail->engine->authserv_id),
		.client = mail->client,
		.helo = mail->helo,
		.mail_from = mail->mail_from,
	};
	struct text results;

	text_init(&results, mail->results, sizeof(mail->results));
	verdict_authres_write(&mail->verdict, &envelope, &results);
	mail->verdict.authentication_results = text_bytes(&results);
}

void auth_mail_override(struct auth_mail *mail, const char *reason)
{
	mail->verdict.dmarc.override = reason;
	write_results(mail);
}

void pipeline_verdict_fill(struct auth_mail *mail)
{
	struct auth_verdict *verdict = &mail->verdict;

	fill_spf(&verdict->helo, mail->spf_helo, mail->helo_domain, SPF_HELO);
	verdict->spf = verdict->helo;
	if (mail->spf_mfrom)
		fill_spf(&verdict->spf, mail->spf_mfrom, mail->mfrom_domain, SPF_MFROM);
	verdict->iprev.result = mail->iprev.result;
	verdict->iprev.name = mail->iprev.name;
	fill_dkim(mail);
	fill_arc(mail);
	fill_dmarc(mail);
	fill_temporary(verdict);
	write_results(mail);
}
