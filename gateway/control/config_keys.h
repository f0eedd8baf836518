#pragma once

#include "gateway/control/config.h"

#include <stddef.h>

/*
 * The one table of every configuration key: from it files are read and checked, and `postern
 * config`, the sample file and the manual page are made.
 */

enum config_type {
	CONFIG_STRING,  /* const char * */
	CONFIG_PATH,    /* const char *, relative to the file's folder */
	CONFIG_NUMBER,  /* uint32_t */
	CONFIG_SIZE,    /* uint64_t octets: 4096, 64K, 25M, 2G */
	CONFIG_SIZE32,  /* the same in an uint32_t */
	CONFIG_SECONDS, /* uint32_t seconds: 30s, 5m, 4h, 5d */
	CONFIG_MILLIS,  /* uint32_t milliseconds: 200ms, 30s, 5m */
	CONFIG_BOOL,    /* bool: true or false */
	CONFIG_CHOICE,  /* int-sized enum: one of `choices`, by its place */
	CONFIG_LIST,    /* a sequence or mapping with a reader of its own (config_lists.h) */
};

enum config_list {
	CONFIG_LIST_NONE,
	CONFIG_LIST_NETWORKS,
	CONFIG_LIST_LISTEN,
	CONFIG_LIST_DOMAINS,
	CONFIG_LIST_FORWARD,
	CONFIG_LIST_BACKENDS,
	CONFIG_LIST_SEALERS,
};

struct config_key {
	const char *path; /* "limits.message_size" */
	enum config_type type;
	size_t offset;              /* in struct config; unused for lists */
	const char *fallback;       /* as written in a file; NULL: none, the key may be absent */
	uint64_t min, max;          /* of numbers, in the unit of the field */
	const char *const *choices; /* ended by NULL */
	enum config_list list;
	bool required;
	const char
		*example; /* of what has no default: lines of YAML as they stand in its section */
	const char *help;
};

extern const struct config_key config_keys[];
extern const unsigned config_n_keys;
