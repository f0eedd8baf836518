#include "gateway/policy/recipients.h"

#include "gateway/policy/string_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Local parts are compared without regard to case, as mailboxes are everywhere, and with their
 * quotes as given.
 */
struct recipients {
	struct string_set domains,
		addresses; /* of addresses: user@domain, or @domain for all of it */
	bool listed;       /* there is a file: only what it names is known */
	char *postmaster;
};

#define LINE_OCTETS_MAX 1024

/* --- the file -----------------------------------------------------------------------------------
 */

static bool is_address(struct bytes line)
{
	struct smtp_path path;

	if (line.len > 1 && line.data[0] == '@')
		return smtp_domain_valid(bytes_from(line, 1));
	return smtp_mailbox_parse(line, &path);
}

static struct bytes without_comment(const char *line)
{
	return bytes_trim_fws(bytes_slice(bytes_str(line), 0, strcspn(line, "#")));
}

static int add_line(
	struct recipients *r, const char *file, unsigned number, const char *line, struct text *why)
{
	struct bytes address = without_comment(line);

	if (address.len == 0)
		return 0;
	if (strlen(line) == LINE_OCTETS_MAX - 1 || !is_address(address)) {
		text_printf(why, "%s:%u: write an address or @domain, one a line", file, number);
		return -EINVAL;
	}
	return string_set_add(&r->addresses, address);
}

static int add_file(struct recipients *r, const char *file, struct text *why)
{
	char line[LINE_OCTETS_MAX];
	FILE *in = fopen(file, "re");
	int error = 0;

	if (!in) {
		error = -errno;
		text_printf(why, "recipients.file: %s: %s", file, strerror(errno));
		return error;
	}
	r->listed = true;
	for (unsigned n = 1; error == 0 && fgets(line, sizeof(line), in); n++)
		error = add_line(r, file, n, line, why);
	fclose(in);
	return error;
}

/* --- life ---------------------------------------------------------------------------------------
 */

int recipients_new(const char *const *domains, unsigned n_domains, const char *postmaster,
	const char *file, struct recipients **out, struct text *why)
{
	struct recipients *r = calloc(1, sizeof(*r));
	int error = r ? 0 : -ENOMEM;

	for (unsigned i = 0; error == 0 && i < n_domains; i++)
		error = string_set_add(&r->domains, bytes_str(domains[i]));
	if (error == 0 && !(r->postmaster = strdup(postmaster)))
		error = -ENOMEM;
	if (error == 0 && file)
		error = add_file(r, file, why);
	if (error) {
		recipients_free(r);
		return error;
	}
	*out = r;
	return 0;
}

void recipients_free(struct recipients *recipients)
{
	if (!recipients)
		return;
	string_set_fini(&recipients->domains);
	string_set_fini(&recipients->addresses);
	free(recipients->postmaster);
	free(recipients);
}

/* --- questions ----------------------------------------------------------------------------------
 */

struct bytes recipients_postmaster(const struct recipients *recipients)
{
	return bytes_str(recipients->postmaster);
}

static struct bytes at_domain(const struct smtp_path *path)
{
	return bytes_from(path->address, path->local.len);
}

enum recipients_answer recipients_check(
	const struct recipients *recipients, const struct smtp_path *path)
{
	if (path->domain.len == 0)
		return RECIPIENTS_POSTMASTER;
	if (!string_set_holds(&recipients->domains, path->domain))
		return RECIPIENTS_FOREIGN;
	if (bytes_eq_nocase(path->local, BYTES("postmaster")))
		return RECIPIENTS_POSTMASTER;
	if (!recipients->listed || string_set_holds(&recipients->addresses, path->address) ||
		string_set_holds(&recipients->addresses, at_domain(path)))
		return RECIPIENTS_OK;
	return RECIPIENTS_UNKNOWN;
}
