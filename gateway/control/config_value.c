#include "gateway/control/config_value.h"

#include <errno.h>

static const struct config_unit plain_units[] = {{"", 1}, {NULL, 0}};
static const struct config_unit size_units[] = {{"", 1}, {"K", UINT64_C(1) << 10},
	{"M", UINT64_C(1) << 20}, {"G", UINT64_C(1) << 30}, {"T", UINT64_C(1) << 40}, {NULL, 0}};
static const struct config_unit second_units[] = {
	{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0}};
static const struct config_unit milli_units[] = {
	{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};

int config_quantity(struct bytes text, const struct config_unit *units, uint64_t *value)
{
	struct cursor c = cursor_of(text);
	uint64_t number;
	int error;

	if (text.len > 1 && text.data[0] == '0' && ascii_is_digit(text.data[1]))
		return -EINVAL;
	error = cursor_take_u64(&c, UINT64_MAX, &number);
	if (error)
		return error;
	for (; units->name; units++) {
		if (!bytes_eq(cursor_rest(&c), bytes_str(units->name)))
			continue;
		if (__builtin_mul_overflow(number, units->factor, value))
			return -ERANGE;
		return 0;
	}
	return -EINVAL;
}

/* How a number of each type is written, and into how many octets it goes. */
static const struct {
	const struct config_unit *units;
	unsigned width;
	const char *form;
} numbers[] = {
	[CONFIG_NUMBER] = {plain_units, 4, "a whole number"},
	[CONFIG_SIZE] = {size_units, 8, "a size such as 4096, 64K, 25M or 2G"},
	[CONFIG_SIZE32] = {size_units, 4, "a size such as 4096, 64K or 25M"},
	[CONFIG_SECONDS] = {second_units, 4, "a time such as 30s, 5m, 4h or 5d"},
	[CONFIG_MILLIS] = {milli_units, 4, "a time such as 200ms, 30s or 5m"},
};

/* A number in the largest unit that divides it, as one would write it. */
static void put_quantity(struct text *out, uint64_t value, const struct config_unit *units)
{
	const struct config_unit *best = units;

	for (; value > 0 && units->name; units++)
		if (value % units->factor == 0)
			best = units;
	text_printf(out, "%llu%s", (unsigned long long)(value / best->factor), best->name);
}

static bool set_number(
	const struct config_key *key, struct bytes text, void *field, struct text *why)
{
	const struct config_unit *units = numbers[key->type].units;
	uint64_t value;
	int error = config_quantity(text, units, &value);

	if (error == -EINVAL) {
		text_printf(why, "is not %s", numbers[key->type].form);
		return false;
	}
	if (error || value < key->min || value > key->max) {
		text_put(why, BYTES("must lie between "));
		put_quantity(why, key->min, units);
		text_put(why, BYTES(" and "));
		put_quantity(why, key->max, units);
		return false;
	}
	if (numbers[key->type].width == 8)
		*(uint64_t *)field = value;
	else
		*(uint32_t *)field = (uint32_t)value;
	return true;
}

static bool set_choice(
	const struct config_key *key, struct bytes text, int *field, struct text *why)
{
	for (int i = 0; key->choices[i]; i++) {
		if (bytes_eq(text, bytes_str(key->choices[i]))) {
			*field = i;
			return true;
		}
	}
	text_put(why, BYTES("must be one of:"));
	for (int i = 0; key->choices[i]; i++)
		text_printf(why, "%s %s", i ? "," : "", key->choices[i]);
	return false;
}

static bool set_bool(struct bytes text, bool *field, struct text *why)
{
	*field = bytes_eq(text, BYTES("true"));
	if (*field || bytes_eq(text, BYTES("false")))
		return true;
	text_put(why, BYTES("must be true or false"));
	return false;
}

static bool is_printable(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!ascii_is_vchar(text.data[i]))
			return false;
	return text.len > 0;
}

bool config_value_set(const struct config_key *key, struct bytes text, struct config *config,
	const char *(*own)(struct config *config, struct bytes text, bool is_path),
	struct text *why)
{
	void *field = (char *)config + key->offset;

	switch (key->type) {
	case CONFIG_STRING:
	case CONFIG_PATH:
		if (!is_printable(text)) {
			text_put(why, BYTES("must be printable text without blanks"));
			return false;
		}
		*(const char **)field = own(config, text, key->type == CONFIG_PATH);
		return true;
	case CONFIG_NUMBER:
	case CONFIG_SIZE:
	case CONFIG_SIZE32:
	case CONFIG_SECONDS:
	case CONFIG_MILLIS: return set_number(key, text, field, why);
	case CONFIG_BOOL: return set_bool(text, field, why);
	case CONFIG_CHOICE: return set_choice(key, text, field, why);
	case CONFIG_LIST: break;
	}
	return false;
}

void config_value_put(const struct config_key *key, const struct config *config, struct text *out)
{
	const void *field = (const char *)config + key->offset;

	switch (key->type) {
	case CONFIG_STRING:
	case CONFIG_PATH: text_put(out, bytes_str(*(const char *const *)field)); break;
	case CONFIG_NUMBER:
	case CONFIG_SIZE:
	case CONFIG_SIZE32:
	case CONFIG_SECONDS:
	case CONFIG_MILLIS:
		put_quantity(out,
			numbers[key->type].width == 8 ? *(const uint64_t *)field
						      : *(const uint32_t *)field,
			numbers[key->type].units);
		break;
	case CONFIG_BOOL: text_put(out, bytes_str(*(const bool *)field ? "true" : "false")); break;
	case CONFIG_CHOICE: text_put(out, bytes_str(key->choices[*(const int *)field])); break;
	case CONFIG_LIST: break;
	}
}

bool config_text_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}
