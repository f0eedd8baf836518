/*
 * The parameters of RFC 3461 (delivery status notifications): the SMTP server takes them, the spool
 * keeps them, the LMTP client passes them on, and reports are made by them. ENVID and ORCPT are
 * kept in the form in which they came, xtext included.
 */
#pragma once

#include "base/bytes.h"

#define DSN_ENVID_MAX 100u /* octets of its value (§4.4) */
#define DSN_ORCPT_MAX 500u /* the same (§4.2) */

/* name, bit, keyword of NOTIFY */
#define DSN_NOTIFIES(X)                                                                            \
	X(DSN_NEVER, 0, "NEVER")                                                                   \
	X(DSN_SUCCESS, 1, "SUCCESS")                                                               \
	X(DSN_FAILURE, 2, "FAILURE")                                                               \
	X(DSN_DELAY, 3, "DELAY")

enum dsn_notify {
#define X(id, bit, word) id = 1 << bit,
	DSN_NOTIFIES(X)
#undef X
};

/* What a recipient without NOTIFY gets: that is left to us (§4.1). */
#define DSN_NOTIFY_DEFAULT (DSN_FAILURE | DSN_DELAY)

#define DSN_RETS(X)                                                                                \
	X(DSN_RET_NONE, "") /* not given */                                                        \
	X(DSN_RET_FULL, "FULL")                                                                    \
	X(DSN_RET_HDRS, "HDRS")

enum dsn_ret {
#define X(id, word) id,
	DSN_RETS(X)
#undef X
};

/* The value of NOTIFY: NEVER alone, or some of the others, each once. `notify` gets the bits. */
bool dsn_notify_parse(struct bytes value, uint8_t *notify);
void dsn_notify_put(struct text *out, uint8_t notify);
bool dsn_ret_parse(struct bytes value, uint8_t *ret);
const char *dsn_ret_word(uint8_t ret);
/* The value of ENVID: xtext. */
bool dsn_envid_valid(struct bytes value);
/* The value of ORCPT: an address type, ";", and xtext. */
bool dsn_orcpt_valid(struct bytes value);

/* xtext (§4): printable ASCII, of which "+" and "=" stand, like any other octet, as "+" and two
 * upper-case hexadecimal digits. */
bool dsn_xtext_valid(struct bytes value);
/* What it stands for; octets that cannot stand in a line of 7-bit text become question marks. */
void dsn_xtext_decode(struct text *out, struct bytes value);
