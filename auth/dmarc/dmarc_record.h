#pragma once

#include "auth/dmarc/dmarc.h"
#include "auth/dns/dns.h"

#include <stdbool.h>

/*
 * The DMARC Policy Record among the TXT records of a _dmarc name (RFC 9989 §4.7), parsed once on
 * the resolver's thread.
 */

enum dmarc_psd { DMARC_PSD_UNKNOWN, DMARC_PSD_YES, DMARC_PSD_NO };

struct dmarc_record {
	bool found;   /* exactly one; several are all discarded (§4.10 step 2) */
	bool several; /* for the reason */
	/*
	 * §4.10.1: without a valid p, or with an invalid sp or np, the record means p=none where it
	 * has a valid rua, and no DMARC at all otherwise. That is worked in here: then all three
	 * are NONE or ABSENT.
	 */
	enum dmarc_policy p, sp, np;
	enum dmarc_psd psd;
	bool testing; /* t=y */
	bool strict_spf, strict_dkim;
};

/* One record's text; false where it is no DMARC record (§4.7: the first tag is v=DMARC1, case and
 * all). */
bool dmarc_record_parse(struct bytes text, struct dmarc_record *record);
/* The record of `n` TXT records. */
void dmarc_record_select(const struct dns_record *records, unsigned n, struct dmarc_record *record);
