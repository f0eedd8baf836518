#include "gateway/daemon_access.h"

#include "gateway/daemon_priv.h"

#include <errno.h>
#include <stdlib.h>

#define FILE_NAME "access"

/* --- tables -------------------------------------------------------------------------------------
 */

static void free_old(struct daemon_access *access)
{
	while (access->n_old > 0)
		access_table_free(access->old[--access->n_old]);
}

static void hand_over(struct daemon *d, struct access_table *table)
{
	d->access.table = table;
	for (unsigned i = 0; i < d->n_workers; i++) {
		latest_give(&d->workers[i]->new_access, table);
		doorbell_ring(&d->workers[i]->bell);
	}
}

/* Make the rules those in force. */
static int apply(struct daemon *d)
{
	struct daemon_access *access = &d->access;
	struct access_table *table;
	int error;

	if (daemon_is_taken(d, offsetof(struct worker, new_access)))
		free_old(access);
	if (access->n_old == DAEMON_ACCESS_GARBAGE_MAX)
		return -EBUSY; /* an lcore does not run */
	error = access_list_table(&access->list, clock_unix_us(), clock_mono_us(), &table);
	if (error)
		return error;
	if (access->table)
		access->old[access->n_old++] = access->table;
	hand_over(d, table);
	return 0;
}

/* --- life ---------------------------------------------------------------------------------------
 */

int daemon_access_start(struct daemon *d, struct text *why)
{
	int error;

	if (asprintf(&d->access.path, "%s/" FILE_NAME, d->config->spool.path) < 0) {
		d->access.path = NULL;
		return -ENOMEM;
	}
	error = access_list_load(&d->access.list, d->access.path, why);
	return error ? error : apply(d);
}

void daemon_access_end(struct daemon *d)
{
	free_old(&d->access);
	access_table_free(d->access.table);
	access_list_fini(&d->access.list);
	free(d->access.path);
}

/* --- commands -----------------------------------------------------------------------------------
 */

static int take_network(unsigned argc, const char *const *argv, struct ip_cidr *net, FILE *out)
{
	if (argc > 0 && ip_cidr_parse(bytes_str(argv[0]), true, net) == 0)
		return 0;
	fprintf(out, "%s is no network such as 192.0.2.0/24 or 2001:db8::/32\n",
		argc ? argv[0] : "nothing");
	return -EINVAL;
}

static void log_order(struct daemon *d, const char *order, const struct ip_cidr *net)
{
	char network[IP_CIDR_TEXT_MAX];

	ip_cidr_format(net, network);
	log_event(&d->events, LOG_SEV_NOTICE, NULL, "event=access order=%s network=%s rules=%u",
		order, network, d->access.list.n);
}

/* In force at once; on disk, or the order fails and says so. */
static int settle(struct daemon *d, FILE *out)
{
	int error;

	access_list_expire(&d->access.list, clock_unix_us());
	error = apply(d);
	if (error) {
		fprintf(out, "the rules cannot be changed now: %s\n", strerror(-error));
		return error;
	}
	error = access_list_save(&d->access.list, d->access.path);
	if (error)
		fprintf(out, "in force, but lost at the next start: %s: %s\n", d->access.path,
			strerror(-error));
	daemon_wait_until_taken(d, offsetof(struct worker, new_access));
	return error;
}

static int set(
	struct daemon *d, enum access_verb verb, unsigned argc, const char *const *argv, FILE *out)
{
	struct access_rule rule = {.verb = (uint8_t)verb, .until_us = ACCESS_FOREVER};
	uint64_t seconds = 0;
	int error = take_network(argc, argv, &rule.net, out);

	if (error)
		return error;
	if (argc > 1 && (bytes_to_u64(bytes_str(argv[1]), UINT32_MAX, &seconds) != 0 || !seconds)) {
		fprintf(out, "%s is no time in seconds\n", argv[1]);
		return -EINVAL;
	}
	if (seconds)
		rule.until_us = clock_unix_us() + seconds * 1000000;
	access_list_expire(&d->access.list, clock_unix_us());
	error = access_list_set(&d->access.list, &rule);
	if (error == 0) {
		log_order(d, access_verb_word(verb), &rule.net);
		return settle(d, out);
	}
	if (error == -ENOSPC)
		fprintf(out, "there are %u rules already, and no more are kept\n",
			ACCESS_RULES_MAX);
	else
		fprintf(out, "%s\n", strerror(-error));
	return error;
}

int daemon_access_deny(void *daemon, unsigned argc, const char *const *argv, FILE *out)
{
	return set(daemon, ACCESS_DENY, argc, argv, out);
}

int daemon_access_allow(void *daemon, unsigned argc, const char *const *argv, FILE *out)
{
	return set(daemon, ACCESS_ALLOW, argc, argv, out);
}

int daemon_access_remove(void *daemon, unsigned argc, const char *const *argv, FILE *out)
{
	struct daemon *d = daemon;
	struct ip_cidr net;
	int error = take_network(argc, argv, &net, out);

	if (error)
		return error;
	if (access_list_remove(&d->access.list, &net) == 0) {
		fprintf(out, "there is no rule for %s\n", argv[0]);
		return -EINVAL;
	}
	log_order(d, "remove", &net);
	return settle(d, out);
}

int daemon_access_show(void *daemon, unsigned argc, const char *const *argv, FILE *out)
{
	struct daemon *d = daemon;

	(void)argc, (void)argv;
	access_list_expire(&d->access.list, clock_unix_us());
	for (unsigned i = 0; i < d->access.list.n; i++) {
		char line[128];
		struct text text;

		text_init(&text, line, sizeof(line));
		access_list_put(&d->access.list.rules[i], &text);
		fprintf(out, "%s\n", text_str(&text));
	}
	return 0;
}
