#pragma once

#include "dataplane/net/capture.h"
#include "gateway/threads.h"

#include <stdio.h>

/*
 * What `postern capture` asks of the daemon. The tool starts a capture, reads what was copied as
 * long as it wants, and stops it; so the main thread never waits for it, the daemon writes no file,
 * and memory is taken only meanwhile. One that is not read any more makes room for another.
 */

#define DAEMON_CAPTURE_SECONDS_MAX 3600
/* Packets in one answer. */
#define DAEMON_CAPTURE_PORTION 256
/* Without a read for so long its tool is taken for gone. */
#define DAEMON_CAPTURE_ABANDONED_US 3000000u

struct daemon_capture {
	uint32_t id; /* of the last one */
	bool is_on;
	struct capture *of[THREADS_MAX_WORKERS]; /* each lcore's; all NULL: none */
	uint64_t until_us, read_us;
};

struct daemon;

/* After the workers ended. */
void daemon_capture_end(struct daemon *daemon);

/* `SECONDS [ADDRESS]`: answers with the capture's id. */
int daemon_capture_start(void *daemon, unsigned argc, const char *const *argv, FILE *out);
/*
 * `ID`: up to DAEMON_CAPTURE_PORTION lines `packet UNIX_US WIRE_OCTETS HEX` and, last, `state STATE
 * DROPPED`, where STATE is `more` (ask again at once), `idle` or `ended`.
 */
int daemon_capture_read(void *daemon, unsigned argc, const char *const *argv, FILE *out);
/* `ID` */
int daemon_capture_stop(void *daemon, unsigned argc, const char *const *argv, FILE *out);
