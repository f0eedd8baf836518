#include "gateway/cli/dns_check_priv.h"

#include "auth/dkim/dkim_tags.h"

/*
 * Whether senders insist on TLS (MTA-STS, RFC 8461) and tell of trouble with it (TLS-RPT, RFC
 * 8460). The policy itself is a page on the web, which is not fetched here.
 */

#define STS_PREFIX    "_mta-sts."
#define STS_HOST      "mta-sts."
#define REPORT_PREFIX "_smtp._tls."
#define STS_ID_MAX    32

/* The one record of a version; absent where there is none, which the caller tells. */
static const struct dns_answer *find_one(struct dns_check *check, struct bytes domain,
	const char *prefix, const char *version, struct bytes *text, unsigned *n)
{
	const struct dns_answer *answer =
		dns_check_ask(check, DNS_TXT, DNS_USE_RAW, prefix, domain);

	*n = 0;
	if (dns_check_is_lost(check, answer, prefix, domain))
		return answer;
	*n = dns_check_find(answer, bytes_str(version), text);
	if (*n > 1)
		dns_check_say(check, DNS_CHECK_PROBLEM,
			"more than one record at %s%.*s, so none counts: leave one", prefix,
			BYTES_FMT(domain));
	else if (*n == 0 && answer->n > 0)
		dns_check_say(check, DNS_CHECK_WARNING,
			"the TXT record at %s%.*s does not begin with `%s;`", prefix,
			BYTES_FMT(domain), version);
	return answer;
}

/* --- MTA-STS ------------------------------------------------------------------------------------
 */

static bool is_id(struct bytes id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!ascii_is_alnum(id.data[i]))
			return false;
	return id.len > 0 && id.len <= STS_ID_MAX;
}

static void check_sts_host(struct dns_check *check, struct bytes domain)
{
	char host[DNS_NAME_MAX + 16], room[512];
	struct text list;

	snprintf(host, sizeof(host), STS_HOST "%.*s", BYTES_FMT(domain));
	text_init(&list, room, sizeof(room));
	switch (dns_check_reach(check, bytes_str(host), &list)) {
	case DNS_CHECK_NO_ADDRESS:
		dns_check_say(check, DNS_CHECK_PROBLEM,
			"%s has no address, so the policy cannot be fetched", host);
		break;
	case DNS_CHECK_LOST: break;
	default:
		dns_check_say(check, DNS_CHECK_OK,
			"the policy at https://%s/.well-known/mta-sts.txt is not fetched here: see "
			"that "
			"its mx: lines name all MX",
			host);
	}
}

static bool check_sts(struct dns_check *check, struct bytes domain)
{
	const struct dns_answer *answer;
	const struct dkim_tag *id;
	struct dkim_tags tags;
	struct bytes text;
	unsigned n;

	check->part = "MTA-STS";
	answer = find_one(check, domain, STS_PREFIX, "v=STSv1", &text, &n);
	if (n == 0 && answer->n == 0 && !dns_answer_is_temporary(answer))
		dns_check_say(check, DNS_CHECK_NOTE,
			"not used: who stands between sender and MX can keep mail from being "
			"encrypted");
	if (n == 1) {
		id = dkim_tags_parse(text, &tags) == DKIM_TAGS_OK ? dkim_tags_find(&tags, "id")
								  : NULL;
		if (!id || !is_id(id->value))
			dns_check_say(check, DNS_CHECK_PROBLEM,
				"id= must be 1 to %d letters and digits; the record does not count",
				STS_ID_MAX);
		check_sts_host(check, domain);
	}
	dns_answer_release(answer);
	return n == 1;
}

/* --- TLS-RPT ------------------------------------------------------------------------------------
 */

static void check_report_uris(struct dns_check *check, struct bytes list)
{
	struct bytes uri, to;
	unsigned good = 0;

	while (bytes_split(&list, ',', &uri)) {
		uri = bytes_trim(uri);
		if (dns_check_mailto(uri, &to) || bytes_starts_nocase(uri, BYTES("https://")))
			good++;
		else
			dns_check_say(check, DNS_CHECK_WARNING,
				"rua: `%.*s` is neither mailto:ADDRESS nor https:, and gets no "
				"reports",
				BYTES_FMT(uri));
	}
	if (good)
		dns_check_say(
			check, DNS_CHECK_OK, "reports go to %u place%s", good, good > 1 ? "s" : "");
}

static void check_report(struct dns_check *check, struct bytes domain, bool has_sts)
{
	const struct dns_answer *answer;
	const struct dkim_tag *rua;
	struct dkim_tags tags;
	struct bytes text;
	unsigned n;

	check->part = "TLS-RPT";
	answer = find_one(check, domain, REPORT_PREFIX, "v=TLSRPTv1", &text, &n);
	if (n == 0 && answer->n == 0 && !dns_answer_is_temporary(answer))
		dns_check_say(check, has_sts ? DNS_CHECK_WARNING : DNS_CHECK_NOTE,
			"not used: you do not learn when senders cannot encrypt%s",
			has_sts ? ", and with MTA-STS their mail then stays away" : "");
	if (n == 1) {
		rua = dkim_tags_parse(text, &tags) == DKIM_TAGS_OK ? dkim_tags_find(&tags, "rua")
								   : NULL;
		if (rua)
			check_report_uris(check, rua->value);
		else
			dns_check_say(check, DNS_CHECK_PROBLEM,
				"the record has no rua=, so nobody gets the reports");
	}
	dns_answer_release(answer);
}

void dns_check_tls(struct dns_check *check, struct bytes domain)
{
	check_report(check, domain, check_sts(check, domain));
}
