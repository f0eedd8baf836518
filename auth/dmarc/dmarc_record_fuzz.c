#include "auth/dmarc/dmarc_record.h"

#include <stdlib.h>

/* Any octets as a DMARC record: what is found is consistent, and alone it is the record selected.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what)                                                                                \
	do {                                                                                       \
		if (!(what))                                                                       \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_record records[2] = {{.text = bytes_of(data, size)}, {.text = BYTES("other")}};
	struct dmarc_record record, selected;
	bool found = dmarc_record_parse(records[0].text, &record);

	CHECK(found == record.found);
	CHECK(!record.several);
	if (found) {
		CHECK(bytes_starts_nocase(records[0].text, BYTES("v")));
		CHECK(record.p <= DMARC_POLICY_REJECT);
		/* all three are there, or none is */
		CHECK((record.p == DMARC_POLICY_ABSENT) == (record.sp == DMARC_POLICY_ABSENT));
		CHECK((record.p == DMARC_POLICY_ABSENT) == (record.np == DMARC_POLICY_ABSENT));
	}
	dmarc_record_select(records, 2, &selected);
	CHECK(selected.found == found && selected.p == record.p && selected.sp == record.sp &&
		selected.np == record.np && selected.psd == record.psd);
	records[1] = records[0];
	dmarc_record_select(records, 2, &selected);
	CHECK(!selected.found && selected.several == found);
	return 0;
}
