#include "gateway/cli/dns_check_priv.h"

#include "auth/dkim/dkim_tags.h"
#include "auth/dmarc/dmarc_record.h"

/* What becomes of mail that is not authentic, and where reports go (RFC 9989, RFC 9990). */

#define PREFIX "_dmarc."
/* RFC 9989 §4.10: names asked on the way up. */
#define WALK_MAX 8
/* Addresses for reports that are looked at; receivers may use as few as two. */
#define REPORTS_MAX 10

/* --- where reports go ---------------------------------------------------------------------------
 */

static bool is_within(struct bytes name, struct bytes domain)
{
	size_t dot = name.len - domain.len;

	return bytes_eq_nocase(name, domain) ||
	       (name.len > domain.len + 1 && bytes_ends_nocase(name, domain) &&
		       name.data[dot - 1] == '.');
}

/* RFC 9990 §4: another domain must have said that it wants the reports. */
static void check_consent(
	struct dns_check *check, struct bytes domain, struct bytes to, const char *tag)
{
	char prefix[DNS_NAME_MAX + 16];
	const struct dns_answer *answer;
	struct bytes text;

	snprintf(prefix, sizeof(prefix), "%.*s._report._dmarc.", BYTES_FMT(domain));
	answer = dns_check_ask(check, DNS_TXT, DNS_USE_RAW, prefix, to);
	if (!dns_check_is_lost(check, answer, prefix, to) &&
		dns_check_find(answer, BYTES("v=DMARC1"), &text) == 0)
		dns_check_say(check, DNS_CHECK_PROBLEM,
			"%s: reports to %.*s are not sent: it must publish TXT `v=DMARC1;` at "
			"%s%.*s",
			tag, BYTES_FMT(to), prefix, BYTES_FMT(to));
	dns_answer_release(answer);
}

static void check_reports(
	struct dns_check *check, struct bytes domain, const struct dkim_tag *tag, const char *name)
{
	struct bytes rest = tag->value, uri, to;

	for (unsigned n = 0; n < REPORTS_MAX && bytes_split(&rest, ',', &uri); n++) {
		uri = bytes_trim(uri);
		if (!dns_check_mailto(uri, &to))
			dns_check_say(check, DNS_CHECK_WARNING,
				"%s: `%.*s` is no mailto:ADDRESS, and gets no reports", name,
				BYTES_FMT(uri));
		else if (!is_within(to, domain) && !is_within(domain, to))
			check_consent(check, domain, to, name);
	}
}

/* --- the record ---------------------------------------------------------------------------------
 */

static void check_policy_tag(
	struct dns_check *check, const struct dkim_tags *tags, const char *name)
{
	const struct dkim_tag *tag = dkim_tags_find(tags, name);

	if (!tag || bytes_eq_nocase(tag->value, BYTES("none")) ||
		bytes_eq_nocase(tag->value, BYTES("quarantine")) ||
		bytes_eq_nocase(tag->value, BYTES("reject")))
		return;
	dns_check_say(check, DNS_CHECK_PROBLEM,
		"%s=%.*s is none of none, quarantine, reject; the whole policy is not followed for "
		"it",
		name, BYTES_FMT(tag->value));
}

static void check_tags(struct dns_check *check, struct bytes domain, struct bytes text)
{
	static const char *const gone[] = {"pct", "rf", "ri"};
	const struct dkim_tag *rua, *ruf;
	struct dkim_tags tags;

	if (dkim_tags_parse(text, &tags) != DKIM_TAGS_OK) {
		dns_check_say(check, DNS_CHECK_PROBLEM,
			"the record is no list of tag=value with semicolons between, each tag "
			"once");
		return;
	}
	if (!dkim_tags_find(&tags, "p"))
		dns_check_say(check, DNS_CHECK_PROBLEM, "the record has no p=");
	check_policy_tag(check, &tags, "p");
	check_policy_tag(check, &tags, "sp");
	check_policy_tag(check, &tags, "np");
	for (unsigned i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		if (dkim_tags_find(&tags, gone[i]))
			dns_check_say(check, DNS_CHECK_NOTE,
				"%s= is gone since RFC 9989 and ignored; take it out", gone[i]);
	rua = dkim_tags_find(&tags, "rua");
	ruf = dkim_tags_find(&tags, "ruf");
	if (!rua)
		dns_check_say(check, DNS_CHECK_WARNING,
			"no rua=: you do not learn who sends in your name, nor what is refused");
	else
		check_reports(check, domain, rua, "rua");
	if (ruf)
		check_reports(check, domain, ruf, "ruf");
}

static void check_policy(struct dns_check *check, const struct dmarc_record *record)
{
	const char *p = dmarc_policy_word(record->p);

	if (!p)
		return; /* its tags were said to be wrong */
	if (record->p == DMARC_POLICY_NONE)
		dns_check_say(check, DNS_CHECK_NOTE,
			"p=none: forged mail is delivered all the same, and reported");
	else
		dns_check_say(check, DNS_CHECK_OK, "p=%s", p);
	if (record->testing)
		dns_check_say(check, DNS_CHECK_NOTE,
			"t=y: a test, so the policy is taken one step milder");
}

static struct bytes text_of(const struct dns_answer *answer)
{
	struct dmarc_record record;

	for (unsigned i = 0; i < answer->n; i++)
		if (dmarc_record_parse(answer->records[i].text, &record))
			return answer->records[i].text;
	return BYTES("");
}

/* --- the walk -----------------------------------------------------------------------------------
 */

enum found { FOUND, NOT_FOUND, CANNOT_TELL };

static enum found look_at(struct dns_check *check, struct bytes domain, struct bytes name)
{
	const struct dns_answer *answer =
		dns_check_ask(check, DNS_TXT, DNS_USE_DMARC, PREFIX, name);
	const struct dmarc_record *record = answer->parsed;
	enum found found = NOT_FOUND;

	if (dns_check_is_lost(check, answer, PREFIX, name)) {
		found = CANNOT_TELL;
	} else if (record && record->several) {
		dns_check_say(check, DNS_CHECK_PROBLEM,
			"more than one record at " PREFIX "%.*s, so none counts: leave one",
			BYTES_FMT(name));
		found = FOUND;
	} else if (record && record->found) {
		if (name.len != domain.len)
			dns_check_say(check, DNS_CHECK_NOTE, "the record of %.*s applies (sp=%s)",
				BYTES_FMT(name),
				record->sp ? dmarc_policy_word(record->sp) : "none");
		check_policy(check, record);
		check_tags(check, name, text_of(answer));
		found = FOUND;
	} else if (answer->n > 0 && name.len == domain.len) {
		dns_check_say(check, DNS_CHECK_WARNING,
			"the TXT record at " PREFIX
			"%.*s is no DMARC record: it must begin with `v=DMARC1;`",
			BYTES_FMT(name));
	}
	dns_answer_release(answer);
	return found;
}

static unsigned labels_of(struct bytes name)
{
	struct bytes label;
	unsigned n = 0;

	while (bytes_split(&name, '.', &label))
		n++;
	return n;
}

/* The name above; of long ones the walk goes on at the seventh label from the right. */
static struct bytes parent_of(struct bytes name, bool is_first)
{
	unsigned left = labels_of(name);

	do {
		name = bytes_from(name, bytes_find(name, '.') + 1);
		left--;
	} while (is_first && left >= WALK_MAX);
	return name;
}

void dns_check_dmarc(struct dns_check *check, struct bytes domain)
{
	enum found found;
	struct bytes name = domain;

	check->part = "DMARC";
	found = look_at(check, domain, name);
	while (found == NOT_FOUND && bytes_find(name, '.') != BYTES_NPOS) {
		name = parent_of(name, name.len == domain.len);
		found = look_at(check, domain, name);
	}
	if (found == NOT_FOUND)
		dns_check_say(check, DNS_CHECK_WARNING,
			"no DMARC record: mail may be forged in the domain's name, and large "
			"receivers "
			"want one; begin with `v=DMARC1; p=none; rua=mailto:ADDRESS` at " PREFIX
			"%.*s",
			BYTES_FMT(domain));
}
