#include "gateway/policy/recipients.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Two sets of lower-case strings, in one table each (hsearch_r): domains, and addresses. Local
 * parts are compared without regard to case, as mailboxes are everywhere; their quotes are kept as
 * given.
 */
struct recipients {
	struct hsearch_data domains, addresses;
	bool listed; /* there is a file: only what it names is known */
	char *postmaster;
};

#define ADDRESS_MAX (SMTP_PATH_MAX + 1)

static bool set_holds(const struct hsearch_data *set, const char *key)
{
	ENTRY *found;

	return hsearch_r((ENTRY){.key = (char *)key}, FIND, &found, (struct hsearch_data *)set) !=
	       0;
}

static int set_add(struct hsearch_data *set, struct bytes value)
{
	char *key = malloc(value.len + 1);
	ENTRY *entered;

	if (!key)
		return -ENOMEM;
	for (size_t i = 0; i < value.len; i++)
		key[i] = (char)ascii_lower(value.data[i]);
	key[value.len] = '\0';
	if (!set_holds(set, key))
		return hsearch_r((ENTRY){.key = key}, ENTER, &entered, set) ? 0 : -ENOMEM;
	free(key);
	return 0;
}

static bool is_address(struct bytes line)
{
	struct smtp_path path;

	if (line.len > 1 && line.data[0] == '@')
		return smtp_domain_valid(bytes_from(line, 1));
	return smtp_mailbox_parse(line, &path);
}

static struct bytes without_comment(const char *line)
{
	struct bytes all = bytes_str(line);

	return bytes_trim_fws(bytes_slice(all, 0, strcspn(line, "#")));
}

/* Calls for every address line; the number of lines, or -errno. */
static long read_lines(const char *file, struct hsearch_data *set, struct text *why)
{
	char line[1024];
	long lines = 0;
	FILE *in = fopen(file, "re");
	int error = 0;

	if (!in) {
		text_printf(why, "%s: %s", file, strerror(errno));
		return -errno;
	}
	while (error == 0 && fgets(line, sizeof(line), in)) {
		struct bytes address = without_comment(line);

		lines++;
		if (address.len == 0)
			continue;
		if (!is_address(address)) {
			text_printf(why, "%s:%ld: neither an address nor @domain: %.*s", file,
				lines, (int)address.len, (const char *)address.data);
			error = -EINVAL;
		} else if (set) {
			error = set_add(set, address);
		}
	}
	fclose(in);
	return error ? error : lines;
}

static int add_file(struct recipients *r, const char *file, struct text *why)
{
	long lines = read_lines(file, NULL, why);

	if (lines < 0)
		return (int)lines;
	if (!hcreate_r((size_t)lines * 5 / 4 + 8, &r->addresses))
		return -ENOMEM;
	r->listed = true;
	lines = read_lines(file, &r->addresses, why);
	return lines < 0 ? (int)lines : 0;
}

int recipients_new(const char *const *domains, unsigned n_domains, const char *postmaster,
	const char *file, struct recipients **out, struct text *why)
{
	struct recipients *r = calloc(1, sizeof(*r));
	int error = r && hcreate_r((size_t)n_domains * 5 / 4 + 8, &r->domains) ? 0 : -ENOMEM;

	for (unsigned i = 0; error == 0 && i < n_domains; i++)
		error = set_add(&r->domains, bytes_str(domains[i]));
	if (error == 0 && !(r->postmaster = strdup(postmaster)))
		error = -ENOMEM;
	if (error == 0 && file)
		error = add_file(r, file, why);
	if (error) {
		if (why->len == 0)
			text_printf(why, "recipients: %s", strerror(-error));
		recipients_free(r);
		return error;
	}
	*out = r;
	return 0;
}

static void free_keys(struct hsearch_data *set)
{
	/* hsearch keeps no list of its keys; they live as long as the process's one or two tables
	 * do. */
	hdestroy_r(set);
}

void recipients_free(struct recipients *recipients)
{
	if (!recipients)
		return;
	free_keys(&recipients->domains);
	free_keys(&recipients->addresses);
	free(recipients->postmaster);
	free(recipients);
}

struct bytes recipients_postmaster(const struct recipients *recipients)
{
	return bytes_str(recipients->postmaster);
}

static void lower(char *out, struct bytes value)
{
	size_t n = value.len < ADDRESS_MAX - 1 ? value.len : ADDRESS_MAX - 1;

	for (size_t i = 0; i < n; i++)
		out[i] = (char)ascii_lower(value.data[i]);
	out[n] = '\0';
}

enum recipients_answer recipients_check(
	const struct recipients *recipients, const struct smtp_path *path)
{
	char address[ADDRESS_MAX];
	char *at;

	if (path->domain.len == 0)
		return RECIPIENTS_POSTMASTER;
	lower(address, path->domain);
	if (!set_holds(&recipients->domains, address))
		return RECIPIENTS_FOREIGN;
	if (bytes_eq_nocase(path->local, BYTES("postmaster")))
		return RECIPIENTS_POSTMASTER;
	lower(address, path->address);
	at = strrchr(address, '@');
	if (!recipients->listed || set_holds(&recipients->addresses, address) ||
		(at && set_holds(&recipients->addresses, at)))
		return RECIPIENTS_OK;
	return RECIPIENTS_UNKNOWN;
}
