#include "gateway/cli/dns_check_priv.h"

#include <string.h>

void dns_check_say(
	struct dns_check *check, enum dns_check_severity severity, const char *format, ...)
{
	static const char *const words[] = {
#define X(name, word) [DNS_CHECK_##name] = word,
		DNS_CHECK_SEVERITIES(X)
#undef X
	};
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* Records are what others wrote: one line stays one, and no terminal is told anything. */
	for (char *c = line; *c; c++)
		if (ascii_is_ctl((unsigned char)*c) || (unsigned char)*c > 0x7e)
			*c = '?';
	fprintf(check->out, "%-8s%-9s%s\n", check->part, words[severity], line);
	check->found[severity]++;
}

const struct dns_answer *dns_check_ask(struct dns_check *check, enum dns_type type,
	enum dns_use use, const char *prefix, struct bytes name)
{
	char room[2 * DNS_NAME_MAX];
	struct dns_question question;
	struct text whole;

	if (check->asked == DNS_CHECK_QUESTIONS_MAX)
		return dns_answer_failure(DNS_SERVFAIL);
	text_init(&whole, room, sizeof(room));
	text_put(&whole, bytes_str(prefix));
	text_put(&whole, name);
	if (whole.overflow || !dns_question_set(&question, type, use, text_bytes(&whole)))
		return dns_answer_failure(DNS_NXDOMAIN);
	check->asked++;
	return check->ask(check->arg, &question);
}

bool dns_check_is_lost(struct dns_check *check, const struct dns_answer *answer, const char *prefix,
	struct bytes name)
{
	if (!dns_answer_is_temporary(answer))
		return false;
	if (check->asked == DNS_CHECK_QUESTIONS_MAX)
		dns_check_say(check, DNS_CHECK_UNKNOWN,
			"%s%.*s is not looked at: %u questions are enough", prefix, BYTES_FMT(name),
			DNS_CHECK_QUESTIONS_MAX);
	else if (answer->outcome == DNS_BOGUS)
		dns_check_say(check, DNS_CHECK_PROBLEM,
			"the DNSSEC signature of %s%.*s is wrong: receivers that check it see no "
			"record",
			prefix, BYTES_FMT(name));
	else
		dns_check_say(check, DNS_CHECK_UNKNOWN,
			"no answer for %s%.*s (%s): its name server is down or answers badly",
			prefix, BYTES_FMT(name), dns_outcome_word(answer->outcome));
	return true;
}

unsigned dns_check_find(const struct dns_answer *answer, struct bytes version, struct bytes *text)
{
	unsigned n = 0;

	for (unsigned i = 0; i < answer->n; i++) {
		struct bytes record = answer->records[i].text;
		struct bytes rest = bytes_from(record, version.len);

		if (!bytes_starts(record, version))
			continue;
		if (rest.len > 0 && rest.data[0] != ';' && !ascii_is_wsp(rest.data[0]))
			continue;
		if (n++ == 0)
			*text = record;
	}
	return n;
}

/* --- hosts --------------------------------------------------------------------------------------
 */

/* RFC 6890: addresses that mean nothing outside. */
static bool is_private(const struct ip_addr *addr)
{
	static const char *const networks[] = {"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10",
		"127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "::/127",
		"fc00::/7", "fe80::/10"};

	for (unsigned i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
		struct ip_cidr net;

		if (ip_cidr_parse(bytes_str(networks[i]), true, &net) == 0 &&
			ip_cidr_match(&net, addr))
			return true;
	}
	return false;
}

enum dns_check_reach dns_check_reach(struct dns_check *check, struct bytes host, struct text *list)
{
	static const enum dns_type types[] = {DNS_A, DNS_AAAA};
	enum dns_check_reach reach = DNS_CHECK_NO_ADDRESS;

	for (unsigned t = 0; t < 2; t++) {
		const struct dns_answer *answer =
			dns_check_ask(check, types[t], DNS_USE_RAW, "", host);

		if (dns_check_is_lost(check, answer, "", host))
			reach = DNS_CHECK_LOST;
		for (unsigned i = 0; i < answer->n; i++) {
			char text[IP_ADDR_TEXT_MAX];

			ip_addr_format(&answer->records[i].addr, text);
			text_printf(list, "%s%s", list->len ? ", " : "", text);
			if (is_private(&answer->records[i].addr))
				reach = DNS_CHECK_PRIVATE;
			else if (reach == DNS_CHECK_NO_ADDRESS)
				reach = DNS_CHECK_REACHED;
		}
		dns_answer_release(answer);
	}
	return reach;
}

bool dns_check_mailto(struct bytes uri, struct bytes *domain)
{
	size_t at;

	if (!bytes_starts_nocase(uri, BYTES("mailto:")))
		return false;
	uri = bytes_slice(uri, 0, bytes_find(uri, '?'));
	uri = bytes_slice(uri, 0, bytes_find(uri, '!'));
	at = bytes_rfind(uri, '@');
	if (at == BYTES_NPOS)
		return false;
	*domain = bytes_from(uri, at + 1);
	return domain->len > 0;
}

/* --- the whole ----------------------------------------------------------------------------------
 */

void dns_check_run(
	struct dns_check *check, struct bytes domain, const char *const *selectors, unsigned n)
{
	if (!dns_check_mx(check, domain))
		return;
	dns_check_spf(check, domain);
	dns_check_dkim(check, domain, selectors, n);
	dns_check_dmarc(check, domain);
	dns_check_tls(check, domain);
}
