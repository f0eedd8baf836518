#pragma once

#include "base/bytes.h"

/*
 * No program that this process may ever start gets more than it has (no set-uid, no file
 * capabilities). Before any other thread is made, since it holds for the calling thread and those
 * it makes. 0 or -errno.
 */
int privileges_no_new(void);

/*
 * Become `user` for good, in all threads: groups, uid, no capability left. 0 or -errno with the
 * reason.
 */
int privileges_drop(const char *user, struct text *why);

/* Make a path that user's. 0 or -errno with the reason. */
int privileges_give(const char *user, const char *path, struct text *why);
