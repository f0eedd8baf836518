#include "gateway/cli/queue_mail.h"

#include "base/queue_id.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

static void put(struct bytes part, FILE *out)
{
	if (part.len > 0)
		fwrite(part.data, 1, part.len, out);
}

void queue_mail_put(const struct spool_view *view, FILE *out)
{
	const struct spool_envelope *e = &view->envelope;
	uint32_t from = 0;

	put(e->prepend, out);
	for (uint32_t i = 0; i < e->n_cuts; i++) {
		put(bytes_slice(view->content, from, e->cuts[i].from - from), out);
		from = e->cuts[i].to;
	}
	put(bytes_from(view->content, from), out);
}

int queue_mail_export(const struct spool_view *view, const char *directory)
{
	char id[QUEUE_ID_TEXT_SIZE], path[PATH_MAX], making[PATH_MAX];
	FILE *out;
	int error;

	queue_id_format(view->envelope.queue_id, id);
	if (snprintf(path, sizeof(path), "%s/%s.eml", directory, id) >= (int)sizeof(path) ||
		snprintf(making, sizeof(making), "%s/.%s.making", directory, id) >=
			(int)sizeof(making))
		return -ENAMETOOLONG;
	out = fopen(making, "we");
	if (!out)
		return -errno;
	queue_mail_put(view, out);
	error = ferror(out) ? -EIO : 0;
	if (fclose(out) != 0 && error == 0)
		error = -errno;
	if (error == 0 && rename(making, path) != 0)
		error = -errno;
	if (error)
		unlink(making);
	return error;
}
