#include <errno.h>

#include "base/queue_id.h"
#include "spool/log/recover.h"

/* A spool read from outside, its daemon up or down: recovery in memory, and nothing changed. */

/* What a spool is read for. */
struct reading {
	bool ended; /* mails that are done too */
	uint64_t from_us, to_us;
	int (*fn)(void *arg, const struct spool_view *view);
	void *arg;
};

static int visit(struct spool_log *log, const struct reading *reading)
{
	struct spool_item *item;
	int r = 0;

	while (r == 0 && (item = spool_log_recovered(log))) {
		uint64_t born_us = queue_id_unix_us(item->queue_id);
		struct spool_view view;

		/* The daemon may have ended the mail meanwhile, and its segment may be gone. */
		if (born_us >= reading->from_us && born_us < reading->to_us &&
			spool_view_open(log, item, &view) == 0) {
			r = reading->fn(reading->arg, &view);
			spool_view_close(&view);
		}
		spool_item_release(item);
	}
	return r;
}

static int scan_once(const char *path, const struct reading *what, struct text *why, bool *reading)
{
	struct spool_log_config config = {.path = path};
	struct recover_files files = {0};
	struct spool_log *log = spool_log_new(&config, NULL);
	int r;

	*reading = false;
	if (!log) {
		text_printf(why, "no memory for the log");
		return -ENOMEM;
	}
	log->keep_ended = what->ended;
	r = spool_log_open_dir(log, path, false, why);
	if (r == 0) {
		*reading = true;
		r = recover(log, &files, why);
	}
	if (r == 0) {
		*reading = false;
		r = visit(log, what);
	}
	recover_files_free(&files);
	spool_log_free(log);
	return r;
}

/* A running daemon removes segments that are done with; one may go between being listed and being
 * read. */
#define SCAN_TRIES 20

static int scan(const char *path, const struct reading *what, struct text *why)
{
	size_t len = why->len;
	bool reading = true;
	int r = -ENOENT;

	for (unsigned i = 0; i < SCAN_TRIES && reading && r == -ENOENT; i++) {
		why->len = len;
		r = scan_once(path, what, why, &reading);
	}
	return r;
}

int spool_log_scan(const char *path, int (*fn)(void *arg, const struct spool_view *view), void *arg,
	struct text *why)
{
	return scan(path, &(struct reading){false, 0, UINT64_MAX, fn, arg}, why);
}

int spool_log_scan_kept(const char *path, uint64_t from_us, uint64_t to_us,
	int (*fn)(void *arg, const struct spool_view *view), void *arg, struct text *why)
{
	return scan(path, &(struct reading){true, from_us, to_us, fn, arg}, why);
}
