#include "gateway/cli/dns_check_priv.h"

#include "auth/spf/spf.h"
#include "auth/spf/spf_record.h"

/*
 * Which hosts may send for the domain (RFC 7208). All branches are followed, as no client is known:
 * the worst case is what a receiver may meet.
 */

/* Includes within includes; the look-ups end it earlier where they are honest. */
#define DEPTH_MAX 10

struct walk {
	struct dns_check *check;
	struct bytes domain;
	unsigned lookups;
	bool broken; /* a permerror somewhere, and said to be so */
};

static void walk_record(
	struct walk *walk, struct bytes name, const struct spf_record *record, unsigned depth);

static void say_broken(struct walk *walk, const struct spf_record *record, struct bytes name)
{
	walk->broken = true;
	if (record->status == SPF_RECORD_SEVERAL)
		dns_check_say(walk->check, DNS_CHECK_PROBLEM,
			"%.*s has more than one SPF record, which is an error to receivers: join "
			"them "
			"into one",
			BYTES_FMT(name));
	else
		dns_check_say(walk->check, DNS_CHECK_PROBLEM,
			"the SPF record of %.*s cannot be understood, which is an error to "
			"receivers: "
			"%s at `%.*s`",
			BYTES_FMT(name), record->error ? record->error : "syntax",
			BYTES_FMT(record->where));
}

/* What a term names; false where only a mail can tell. */
static bool target_of(
	struct walk *walk, struct bytes spec, struct bytes current, struct bytes *target)
{
	*target = spec.len ? spec : current;
	if (bytes_find(*target, '%') == BYTES_NPOS)
		return true;
	dns_check_say(walk->check, DNS_CHECK_NOTE,
		"`%.*s` depends on the mail: what it leads to is not looked at", BYTES_FMT(spec));
	return false;
}

/* include: and redirect=, whose target must have a record. */
static void follow(
	struct walk *walk, const char *how, struct bytes spec, struct bytes current, unsigned depth)
{
	const struct dns_answer *answer;
	struct bytes target;

	walk->lookups++;
	if (!target_of(walk, spec, current, &target) ||
		walk->lookups > 2 * spf_limits_default.lookups)
		return;
	if (depth == DEPTH_MAX) {
		walk->broken = true;
		dns_check_say(walk->check, DNS_CHECK_PROBLEM,
			"includes go round in a circle, or more than %d deep, by way of %.*s",
			DEPTH_MAX, BYTES_FMT(target));
		return;
	}
	answer = dns_check_ask(walk->check, DNS_TXT, DNS_USE_SPF, "", target);
	if (!dns_check_is_lost(walk->check, answer, "", target)) {
		const struct spf_record *record = answer->parsed;

		if (record && record->status == SPF_RECORD_OK) {
			walk_record(walk, target, record, depth + 1);
		} else if (record && record->status != SPF_RECORD_NONE) {
			say_broken(walk, record, target);
		} else {
			walk->broken = true;
			dns_check_say(walk->check, DNS_CHECK_PROBLEM,
				"%s%.*s: that domain has no SPF record, which is an error to "
				"receivers: "
				"take it out",
				how, BYTES_FMT(target));
		}
	}
	dns_answer_release(answer);
}

/* a and a:NAME */
static void check_a(struct walk *walk, struct bytes spec, struct bytes current)
{
	char room[512];
	struct bytes target;
	struct text list;

	text_init(&list, room, sizeof(room));
	if (target_of(walk, spec, current, &target) &&
		dns_check_reach(walk->check, target, &list) == DNS_CHECK_NO_ADDRESS)
		dns_check_say(walk->check, DNS_CHECK_WARNING,
			"`a` of %.*s: it has no address, so nothing is allowed by it; receivers "
			"give "
			"up after %u such misses",
			BYTES_FMT(target), spf_limits_default.void_lookups);
}

/* mx and mx:NAME */
static void check_mx(struct walk *walk, struct bytes spec, struct bytes current)
{
	const struct dns_answer *answer;
	struct bytes target;

	if (!target_of(walk, spec, current, &target))
		return;
	answer = dns_check_ask(walk->check, DNS_MX, DNS_USE_RAW, "", target);
	if (!dns_check_is_lost(walk->check, answer, "", target) && answer->n == 0)
		dns_check_say(walk->check, DNS_CHECK_WARNING,
			"`mx` of %.*s: it has no MX, so nothing is allowed by it; receivers give "
			"up "
			"after %u such misses",
			BYTES_FMT(target), spf_limits_default.void_lookups);
	if (answer->n > spf_limits_default.mx_names) {
		walk->broken = true;
		dns_check_say(walk->check, DNS_CHECK_PROBLEM,
			"`mx` of %.*s: more than %u MX, which is an error to receivers",
			BYTES_FMT(target), spf_limits_default.mx_names);
	}
	dns_answer_release(answer);
}

static void check_term(
	struct walk *walk, struct bytes name, const struct spf_term *term, unsigned depth)
{
	switch (term->mechanism) {
	case SPF_ALL:
		if (term->qualifier == AUTH_PASS)
			dns_check_say(walk->check, DNS_CHECK_PROBLEM,
				"`+all` in the record of %.*s: the whole world may send for the "
				"domain",
				BYTES_FMT(name));
		return;
	case SPF_INCLUDE: follow(walk, "include:", term->domain_spec, name, depth); return;
	case SPF_A:
		walk->lookups++;
		check_a(walk, term->domain_spec, name);
		return;
	case SPF_MX:
		walk->lookups++;
		check_mx(walk, term->domain_spec, name);
		return;
	case SPF_PTR:
		walk->lookups++;
		dns_check_say(walk->check, DNS_CHECK_WARNING,
			"`ptr` in the record of %.*s: slow and not to be used (RFC 7208 §5.5)",
			BYTES_FMT(name));
		return;
	case SPF_EXISTS: walk->lookups++; return;
	default: return;
	}
}

static void walk_record(
	struct walk *walk, struct bytes name, const struct spf_record *record, unsigned depth)
{
	for (unsigned i = 0; i < record->n_terms; i++) {
		const struct spf_term *term = &record->terms[i];

		check_term(walk, name, term, depth);
		if (term->mechanism != SPF_ALL)
			continue;
		if (i + 1 < record->n_terms)
			dns_check_say(walk->check, DNS_CHECK_WARNING,
				"what stands behind `all` in the record of %.*s is never looked at",
				BYTES_FMT(name));
		return; /* redirect= counts only without it */
	}
	if (record->redirect.data)
		follow(walk, "redirect=", record->redirect, name, depth);
}

/* What becomes of a client that nothing matched. */
static void check_end(struct walk *walk, const struct spf_record *record)
{
	for (unsigned i = 0; i < record->n_terms; i++) {
		if (record->terms[i].mechanism != SPF_ALL)
			continue;
		if (record->terms[i].qualifier == AUTH_NEUTRAL)
			dns_check_say(walk->check, DNS_CHECK_WARNING,
				"it ends in `?all`, which says nothing of other hosts: use ~all or "
				"-all");
		return;
	}
	if (!record->redirect.data)
		dns_check_say(walk->check, DNS_CHECK_WARNING,
			"it has neither `all` nor redirect=, so it says nothing of other hosts: "
			"add ~all "
			"or -all");
}

static void check_record(struct walk *walk, const struct spf_record *record)
{
	const unsigned limit = spf_limits_default.lookups;

	walk_record(walk, walk->domain, record, 0);
	check_end(walk, record);
	if (walk->lookups > limit)
		dns_check_say(walk->check, DNS_CHECK_PROBLEM,
			"it needs %s%u look-ups; receivers stop at %u and take that for an error: "
			"write "
			"networks instead of includes",
			walk->lookups > 2 * limit ? "more than " : "",
			walk->lookups > 2 * limit ? 2 * limit : walk->lookups, limit);
	else if (!walk->broken)
		dns_check_say(walk->check, DNS_CHECK_OK, "%u terms, %u of %u look-ups",
			record->n_terms, walk->lookups, limit);
}

void dns_check_spf(struct dns_check *check, struct bytes domain)
{
	struct walk walk = {.check = check, .domain = domain};
	const struct dns_answer *answer;
	const struct spf_record *record;

	check->part = "SPF";
	answer = dns_check_ask(check, DNS_TXT, DNS_USE_SPF, "", domain);
	record = answer->parsed;
	if (dns_check_is_lost(check, answer, "", domain))
		; /* said */
	else if (!record || record->status == SPF_RECORD_NONE)
		dns_check_say(check, DNS_CHECK_WARNING,
			"no SPF record: nobody can tell your hosts from others; publish `v=spf1 mx "
			"-all` "
			"or what fits, and `v=spf1 -all` where the domain sends no mail");
	else if (record->status != SPF_RECORD_OK)
		say_broken(&walk, record, domain);
	else
		check_record(&walk, record);
	dns_answer_release(answer);
}
