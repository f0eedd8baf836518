#include "gateway/cli/dns_check_priv.h"

/* Where the domain takes mail (RFC 5321 §5.1). */

static void check_host(struct dns_check *check, const struct dns_record *mx)
{
	char room[512];
	struct ip_addr literal;
	struct text list;

	if (ip_addr_parse(mx->name, &literal) == 0) {
		dns_check_say(check, DNS_CHECK_PROBLEM,
			"%u %.*s is an address; an MX must name a host, which has the address",
			mx->preference, BYTES_FMT(mx->name));
		return;
	}
	text_init(&list, room, sizeof(room));
	switch (dns_check_reach(check, mx->name, &list)) {
	case DNS_CHECK_REACHED:
		dns_check_say(check, DNS_CHECK_OK, "%u %.*s (%s)", mx->preference,
			BYTES_FMT(mx->name), text_str(&list));
		break;
	case DNS_CHECK_NO_ADDRESS:
		dns_check_say(check, DNS_CHECK_PROBLEM,
			"%u %.*s has no address: give it an A or AAAA record, or take it out",
			mx->preference, BYTES_FMT(mx->name));
		break;
	case DNS_CHECK_PRIVATE:
		dns_check_say(check, DNS_CHECK_WARNING,
			"%u %.*s (%s): nobody outside can send to a private address",
			mx->preference, BYTES_FMT(mx->name), text_str(&list));
		break;
	case DNS_CHECK_LOST: break;
	}
}

/* Without MX the domain's own address is where mail goes. */
static void check_implicit(struct dns_check *check, struct bytes domain)
{
	char room[512];
	struct text list;

	text_init(&list, room, sizeof(room));
	switch (dns_check_reach(check, domain, &list)) {
	case DNS_CHECK_REACHED:
	case DNS_CHECK_PRIVATE:
		dns_check_say(check, DNS_CHECK_WARNING,
			"no MX: mail goes to the domain's own address (%s); publish an MX if that "
			"is "
			"meant, or `MX 0 .` if the domain takes no mail",
			text_str(&list));
		break;
	case DNS_CHECK_NO_ADDRESS:
		dns_check_say(check, DNS_CHECK_PROBLEM,
			"no MX and no address: the domain cannot get mail, and many refuse mail "
			"from "
			"it because it could not be answered");
		break;
	case DNS_CHECK_LOST: break;
	}
}

/* RFC 7505 */
static void check_null(struct dns_check *check, const struct dns_answer *answer)
{
	if (answer->n == 1)
		dns_check_say(check, DNS_CHECK_OK,
			"null MX: the domain takes no mail; it should not send any either");
	else
		dns_check_say(check, DNS_CHECK_PROBLEM,
			"a null MX (`.`) beside others: take it out, or all the others");
}

static bool is_repeated(const struct dns_answer *answer, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (bytes_eq_nocase(answer->records[k].name, answer->records[i].name))
			return true;
	return false;
}

bool dns_check_mx(struct dns_check *check, struct bytes domain)
{
	const struct dns_answer *answer;
	bool exists;

	check->part = "MX";
	answer = dns_check_ask(check, DNS_MX, DNS_USE_RAW, "", domain);
	exists = answer->outcome != DNS_NXDOMAIN;
	if (!exists)
		dns_check_say(check, DNS_CHECK_PROBLEM, "there is no domain %.*s in the DNS",
			BYTES_FMT(domain));
	else if (!dns_check_is_lost(check, answer, "", domain) && answer->n == 0)
		check_implicit(check, domain);
	for (unsigned i = 0; i < answer->n; i++) {
		const struct dns_record *mx = &answer->records[i];

		if (mx->name.len == 0)
			check_null(check, answer);
		else if (is_repeated(answer, i))
			dns_check_say(check, DNS_CHECK_NOTE, "%u %.*s is listed twice",
				mx->preference, BYTES_FMT(mx->name));
		else
			check_host(check, mx);
	}
	dns_answer_release(answer);
	return exists;
}
