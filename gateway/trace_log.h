#pragma once

#include "base/log.h"
#include "gateway/worker.h"

/*
 * The traces of all mails as lines of the JSON log. The logger's thread takes them from the rings
 * that `postern trace` looks at too, so they cost the io lcores nothing; what came faster than it
 * could be written is passed over.
 */

#define TRACE_LOG_WORKERS 16

struct trace_log {
	struct worker **workers;
	unsigned n_workers; /* 0: off */
	uint64_t seen[TRACE_LOG_WORKERS];
};

/* Writes what is new, to a bound; returns how many. */
unsigned trace_log_some(struct trace_log *log, struct log_out *out);
