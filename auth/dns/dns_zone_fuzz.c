#include "auth/dns/dns_zone.h"

#include <assert.h>
#include <stdlib.h>

/* A zone file is ours, but nothing in it may do more than be refused with its line. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = {DNS_A, DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA, DNS_TLSA};
	struct dns_zone *zone;
	struct text why;
	char reason[256];

	text_init(&why, reason, sizeof(reason));
	if (dns_zone_parse(bytes_of(data, size), "zone", &zone, &why) != 0) {
		assert(bytes_starts(text_bytes(&why), BYTES("zone:")) || why.overflow);
		return 0;
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct dns_question question;
		struct bytes name = bytes_slice(bytes_of(data, size), 0, 16);
		size_t blank = bytes_find(name, ' ');
		const struct dns_answer *answer;

		if (!dns_question_set(
			    &question, types[i], DNS_USE_RAW, bytes_slice(name, 0, blank)))
			break;
		answer = dns_zone_answer(zone, NULL, &question);
		if (!answer)
			break;
		assert((answer->outcome == DNS_OK) == (answer->n > 0));
		dns_answer_release(answer);
	}
	dns_zone_free(zone);
	return 0;
}
