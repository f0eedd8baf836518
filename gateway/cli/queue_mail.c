#include "gateway/cli/queue_mail.h"

#include "base/queue_id.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

bool queue_mail_is_junk(const struct spool_envelope *e, uint32_t recipient)
{
	return ((e->flags & SPOOL_MAIL_QUARANTINE) ||
		(e->recipients[recipient].flags & SPOOL_RCPT_QUARANTINE));
}

unsigned queue_mail_parts(
	const struct spool_view *view, bool junk, struct bytes parts[QUEUE_MAIL_PARTS])
{
	const struct spool_envelope *e = &view->envelope;
	uint32_t from = 0;
	unsigned n = 0;

	if (junk)
		parts[n++] = e->quarantine_prepend;
	parts[n++] = e->prepend;
	for (uint32_t i = 0; i < e->n_cuts; i++) {
		parts[n++] = bytes_slice(view->content, from, e->cuts[i].from - from);
		from = e->cuts[i].to;
	}
	parts[n++] = bytes_from(view->content, from);
	return n;
}

static uint32_t count_junk(const struct spool_envelope *e)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < e->n_recipients; i++)
		n += queue_mail_is_junk(e, i);
	return n;
}

bool queue_mail_all_junk(const struct spool_envelope *e)
{
	return count_junk(e) == e->n_recipients;
}

void queue_mail_put(const struct spool_view *view, bool junk, FILE *out)
{
	struct bytes parts[QUEUE_MAIL_PARTS];
	unsigned n = queue_mail_parts(view, junk, parts);

	for (unsigned i = 0; i < n; i++)
		if (parts[i].len > 0)
			fwrite(parts[i].data, 1, parts[i].len, out);
}

static int export_copy(
	const struct spool_view *view, bool junk, const char *ending, const char *directory)
{
	char id[QUEUE_ID_TEXT_SIZE], path[PATH_MAX], making[PATH_MAX];
	FILE *out;
	int error;

	queue_id_format(view->envelope.queue_id, id);
	if (snprintf(path, sizeof(path), "%s/%s%s", directory, id, ending) >= (int)sizeof(path) ||
		snprintf(making, sizeof(making), "%s/.%s%s.making", directory, id, ending) >=
			(int)sizeof(making))
		return -ENAMETOOLONG;
	out = fopen(making, "we");
	if (!out)
		return -errno;
	queue_mail_put(view, junk, out);
	error = ferror(out) ? -EIO : 0;
	if (fclose(out) != 0 && error == 0)
		error = -errno;
	if (error == 0 && rename(making, path) != 0)
		error = -errno;
	if (error)
		unlink(making);
	return error;
}

int queue_mail_export(const struct spool_view *view, const char *directory)
{
	uint32_t junk = count_junk(&view->envelope);
	bool all = junk == view->envelope.n_recipients;
	int error = export_copy(view, all, ".eml", directory);

	if (error == 0 && junk > 0 && !all)
		error = export_copy(view, true, ".junk.eml", directory);
	return error;
}
