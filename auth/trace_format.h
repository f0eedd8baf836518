#pragma once

#include "auth/trace.h"

/* A trace in words, for people and for programs. Any octets are taken. */

/* Room for the words of any trace that a gateway wrote. */
#define TRACE_WORDS_MAX 131072

/*
 * One event a line, `+MICROSECONDS what`, ended by LF; nothing but printable ASCII comes out. A
 * record of text comes out line by line.
 */
void trace_format_text(struct bytes record, struct text *out);
/* A JSON array of the events: [{"at_us":12,"event":"ask","question":0,...},...]. */
void trace_format_json(struct bytes record, struct text *out);
