/* The little SMTP that tcp-conn speaks on both sides of the comparison. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define SMTP_GREETING "220 gate.lab.example ESMTP Postern\r\n"
#define SMTP_QUIT     "QUIT\r\n"
#define SMTP_BYE      "221 2.0.0 Bye\r\n"

/* Connections that a client has open at once. */
#define SMTP_AT_ONCE 128u

static inline bool smtp_is_quit(const void *octets, size_t len)
{
	return len == strlen(SMTP_QUIT) && memcmp(octets, SMTP_QUIT, len) == 0;
}
