/*
 * printf() for the mail path: what log lines and header fields are made of, without locale, stream
 * or allocation. It knows %s %.*s %c %d %i %u %x %X %zu %lu %llu and %% with width and `0` or `-`;
 * a format that holds anything else is given to the C library whole.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/*
 * As vsnprintf(): writes at most `cap` octets, the NUL among them, and returns how many characters
 * the whole has, or a negative number.
 */
int format_text(char *out, size_t cap, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));
