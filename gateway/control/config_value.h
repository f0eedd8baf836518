#pragma once

#include "base/bytes.h"
#include "gateway/control/config_keys.h"

/*
 * One scalar of the file to one field, strictly: `25x` is no number, `010` is not eight, `on` is
 * not true (FACTS §6c).
 */

/* A whole number with a unit from `units`. 0, -EINVAL, or -ERANGE where the product does not fit.
 */
struct config_unit {
	const char *name;
	uint64_t factor;
};
int config_quantity(struct bytes text, const struct config_unit *units, uint64_t *value);

/*
 * Set the field of `key` in `config`. `own` copies a string into the configuration's memory (NULL:
 * no memory). false: `why` says what would have been right.
 */
bool config_value_set(const struct config_key *key, struct bytes text, struct config *config,
	const char *(*own)(struct config *config, struct bytes text, bool is_path),
	struct text *why);

/* The value of a scalar key, as one would write it; nothing where it is absent. */
void config_value_put(const struct config_key *key, const struct config *config, struct text *out);
/* Whether two texts are the same, or both absent. */
bool config_text_same(const char *a, const char *b);
