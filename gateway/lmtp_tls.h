/* The TLS of the backends of a configuration: the delivery's transform of octets, by OpenSSL. */
#pragma once

#include "gateway/control/config.h"
#include "spool/lmtp/backend_tls.h"

struct lmtp_tls;

/* Reads what certificates are checked by. 0 or -errno with the reason. */
int lmtp_tls_new(const struct config *config, struct lmtp_tls **out, struct text *why);
/* After the last connection. */
void lmtp_tls_free(struct lmtp_tls *tls);
/* For the backend of that number; its `open` is NULL where it has no TLS. */
struct backend_tls lmtp_tls_of(const struct lmtp_tls *tls, unsigned backend);
