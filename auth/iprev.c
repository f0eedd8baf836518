#include "auth/iprev.h"

/* The tag of the reverse question; the addresses of name i have tag i. */
#define TAG_REVERSE UINT32_MAX

static void answered(void *owner, uint32_t tag, const struct dns_answer *answer);

static void finish(struct iprev *iprev, enum auth_result result)
{
	iprev->done = true;
	iprev->result = result;
}

/* All names have been looked at and none leads back. */
static void finish_without_name(struct iprev *iprev)
{
	finish(iprev, iprev->failed ? AUTH_TEMPERROR : AUTH_FAIL);
}

static void ask_addresses(struct iprev *iprev)
{
	enum dns_type type = ip_addr_is_v4(&iprev->client) ? DNS_A : DNS_AAAA;
	struct dns_question question;

	for (unsigned i = 0; i < iprev->n; i++) {
		if (dns_question_set(&question, type, DNS_USE_RAW, iprev->names[i]) &&
			dns_ask(iprev->asks, &question, answered, iprev, i))
			iprev->open++;
	}
	if (iprev->open == 0)
		finish_without_name(iprev);
}

static void on_reverse(struct iprev *iprev, const struct dns_answer *answer)
{
	if (dns_answer_is_temporary(answer)) {
		finish(iprev, AUTH_TEMPERROR);
		return;
	}
	if (answer->outcome != DNS_OK) {
		finish(iprev, AUTH_PERMERROR); /* no PTR is published */
		return;
	}
	for (unsigned i = 0; i < answer->n && iprev->n < IPREV_MAX_NAMES; i++)
		iprev->names[iprev->n++] = answer->records[i].name;
	ask_addresses(iprev);
}

static void on_address(struct iprev *iprev, uint32_t index, const struct dns_answer *answer)
{
	iprev->open--;
	if (dns_answer_is_temporary(answer))
		iprev->failed = true;
	for (unsigned i = 0; answer->outcome == DNS_OK && i < answer->n; i++) {
		if (!ip_addr_eq(&answer->records[i].addr, &iprev->client))
			continue;
		iprev->name = iprev->names[index];
		finish(iprev, AUTH_PASS);
		return;
	}
	if (iprev->open == 0)
		finish_without_name(iprev);
}

static void answered(void *owner, uint32_t tag, const struct dns_answer *answer)
{
	struct iprev *iprev = owner;

	if (iprev->done)
		return;
	if (tag == TAG_REVERSE)
		on_reverse(iprev, answer);
	else
		on_address(iprev, tag, answer);
}

void iprev_begin(struct iprev *iprev, struct dns_asks *asks, const struct ip_addr *client)
{
	struct dns_question question;

	*iprev = (struct iprev){.asks = asks, .client = *client};
	dns_question_set_reverse(&question, client);
	if (!dns_ask(asks, &question, answered, iprev, TAG_REVERSE))
		finish(iprev, AUTH_TEMPERROR);
}
