#pragma once

#include "base/bytes.h"

/*
 * Domain names in wire form (RFC 1035 §3.1), uncompressed and in lower case: what names are
 * compared by, since a label may hold a dot, which text without escapes cannot say.
 */
#define DNS_NAME_WIRE_MAX  255
#define DNS_NAME_LABEL_MAX 63

struct dns_name {
	uint8_t len; /* with the root's zero octet: 1 to 255 */
	uint8_t wire[DNS_NAME_WIRE_MAX];
};

/* From text with labels parted by dots, no escapes; one final dot may follow. "" and "." are no
 * names here. */
bool dns_name_from_text(struct dns_name *name, struct bytes text);
/* From an uncompressed wire form; the whole of `wire` must be one name. */
bool dns_name_from_wire(struct dns_name *name, struct bytes wire);
/*
 * From a message (RFC 1035 §4.1.4) at offset `*at`, which moves behind the name there. Pointers
 * lead backwards only, so every chain ends. false where it is none.
 */
bool dns_name_from_packet(struct dns_name *name, struct bytes packet, size_t *at);

bool dns_name_eq(const struct dns_name *a, const struct dns_name *b);

#define DNS_NAME_TEXT_MAX 253
/*
 * As in struct dns_question: labels parted by dots, no final dot, the root empty. false where a
 * label holds a dot: such a name has no such text and must not pass for another. `text` takes
 * DNS_NAME_TEXT_MAX octets, no NUL.
 */
bool dns_name_to_text(const struct dns_name *name, char *text, size_t *text_len);
