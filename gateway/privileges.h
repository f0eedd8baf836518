#pragma once

#include "base/bytes.h"

/*
 * Become `user` for good, in all threads: groups, uid, no capability left, no new privileges. 0 or
 * -errno with the reason.
 */
int privileges_drop(const char *user, struct text *why);
