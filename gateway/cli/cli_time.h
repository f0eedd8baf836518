#pragma once

#include "base/bytes.h"

/* "90s", "10m", "2h", "3d". */
bool cli_age_parse(const char *text, uint64_t *age_us);
/*
 * A point in time: an age before `now_us`; "2026-11-24", "2026-11-24T10:30" or
 * "2026-11-24T10:30:00", with Z for UTC, else local; or "@SECONDS" of Unix time.
 */
bool cli_time_parse(const char *text, uint64_t now_us, uint64_t *unix_us);
