/*
 * The mails that are sent over and over, as they go behind DATA: CRLF line ends, dots stuffed
 * (RFC 5321 §4.5.2), ended by CRLF.CRLF.
 */
#pragma once

#include "base/bytes.h"

#define LOAD_MAILS_MAX       10000u
#define LOAD_MAILS_BYTES_MAX (UINT64_C(256) << 20)

struct load_mails {
	struct bytes *wires;
	unsigned count;
	unsigned converted; /* files that had LF line ends only */
	uint64_t octets;    /* of all */
};

/* One of `size` octets (before stuffing), the same every time. 0 or -ENOMEM. */
int load_mails_generate(struct load_mails *mails, const char *from, const char *to, size_t size);
/*
 * The files of a folder in the order of their names; those that begin with a dot are left out. A
 * file without any CRLF gets CRLF for LF, else nothing is changed. 0 or -errno with the reason.
 */
int load_mails_read(struct load_mails *mails, const char *folder, struct text *why);
void load_mails_free(struct load_mails *mails);

/* Adds one message; 0, -ENOMEM, or -ENOSPC past the bounds above. */
int load_mails_add(struct load_mails *mails, struct bytes message);
