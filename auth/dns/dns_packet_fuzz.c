#include "auth/dns/dns_packet.h"

#include <assert.h>

/*
 * The first octet picks the type, and the question is the one that the message repeats, so that the
 * fuzzer need not guess it. An outcome and its records fit each other, whatever comes in.
 */

static bool take_question(struct bytes packet, enum dns_type type, struct dns_question *question)
{
	char name[DNS_NAME_MAX];
	size_t len = 0;

	for (size_t pos = 12; pos < packet.len && packet.data[pos] != 0;) {
		size_t label = packet.data[pos++];

		if (label > 63 || packet.len - pos < label || len + label + 1 > sizeof(name))
			return false;
		if (len > 0)
			name[len++] = '.';
		memcpy(name + len, packet.data + pos, label);
		len += label;
		pos += label;
	}
	return dns_question_set(question, type, DNS_USE_RAW, bytes_of(name, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = {DNS_A, DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA, DNS_TLSA};
	static struct dns_packet_scratch scratch;
	struct bytes packet = bytes_of(data + 1, size - 1);
	struct dns_question question;
	struct dns_answer answer;
	const struct dns_answer *kept;
	enum dns_type type;

	if (size < 1 || size > DNS_PACKET_MAX)
		return 0;
	type = types[data[0] % (sizeof(types) / sizeof(types[0]))];
	if (!take_question(packet, type, &question))
		return 0;
	if (!dns_packet_parse(packet, &question, &scratch, &answer))
		assert(answer.outcome == DNS_SERVFAIL);
	assert((answer.outcome == DNS_OK) == (answer.n > 0));
	for (unsigned i = 0; i < answer.n; i++)
		assert(answer.records[i].name.len <= DNS_NAME_MAX);
	kept = dns_answer_new(&answer, NULL);
	if (kept)
		dns_answer_release(kept);
	return 0;
}
