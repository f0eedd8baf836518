#include "gateway/cli/queue_shape.h"

#include <jansson.h>
#include <stdlib.h>

#define MINUTE_US   UINT64_C(60000000)
#define COLUMNS     (QUEUE_SHAPE_AGES + 1)
#define DOMAIN_TEXT 256

struct row {
	char domain[DOMAIN_TEXT];
	unsigned total, ages[COLUMNS];
};

struct queue_shape {
	struct row all, others;
	struct row *rows;
	unsigned n_rows, room;
};

static const unsigned minutes[QUEUE_SHAPE_AGES] = {5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560};

struct queue_shape *queue_shape_new(void)
{
	struct queue_shape *s = calloc(1, sizeof(*s));

	if (s) {
		snprintf(s->all.domain, sizeof(s->all.domain), "TOTAL");
		snprintf(s->others.domain, sizeof(s->others.domain), "(others)");
	}
	return s;
}

void queue_shape_free(struct queue_shape *s)
{
	if (s)
		free(s->rows);
	free(s);
}

static void domain_of(struct bytes address, char out[DOMAIN_TEXT])
{
	size_t at = bytes_rfind(address, '@');
	struct text t;

	text_init(&t, out, DOMAIN_TEXT);
	if (address.len == 0)
		text_put(&t, BYTES("<>"));
	for (size_t i = at == BYTES_NPOS ? 0 : at + 1; i < address.len; i++)
		text_putc(&t,
			ascii_is_vchar(address.data[i]) ? (char)ascii_lower(address.data[i]) : '?');
	text_str(&t);
}

static struct row *row_of(struct queue_shape *s, const char *domain)
{
	for (unsigned i = 0; i < s->n_rows; i++)
		if (strcmp(s->rows[i].domain, domain) == 0)
			return &s->rows[i];
	if (s->n_rows == QUEUE_SHAPE_DOMAINS)
		return &s->others;
	if (s->n_rows == s->room) {
		unsigned room = s->room ? s->room * 2 : 64;
		struct row *more = realloc(s->rows, room * sizeof(*more));

		if (!more)
			return &s->others;
		s->rows = more;
		s->room = room;
	}
	s->rows[s->n_rows] = (struct row){0};
	snprintf(s->rows[s->n_rows].domain, DOMAIN_TEXT, "%s", domain);
	return &s->rows[s->n_rows++];
}

static void count(struct row *row, uint64_t age_us)
{
	unsigned column = 0;

	while (column < QUEUE_SHAPE_AGES && age_us >= minutes[column] * MINUTE_US)
		column++;
	row->total++;
	row->ages[column]++;
}

void queue_shape_add(struct queue_shape *s, struct bytes address, uint64_t age_us)
{
	char domain[DOMAIN_TEXT];

	domain_of(address, domain);
	count(row_of(s, domain), age_us);
	count(&s->all, age_us);
}

static int by_total(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->total != y->total)
		return x->total < y->total ? 1 : -1;
	return strcmp(x->domain, y->domain);
}

static void print_head(FILE *out)
{
	fprintf(out, "%30s %6s", "", "T");
	for (unsigned i = 0; i < QUEUE_SHAPE_AGES; i++)
		fprintf(out, " %5u", minutes[i]);
	fprintf(out, " %4u+\n", minutes[QUEUE_SHAPE_AGES - 1]);
}

static void print_text(const struct row *row, FILE *out)
{
	fprintf(out, "%30s %6u", row->domain, row->total);
	for (unsigned i = 0; i < COLUMNS; i++)
		fprintf(out, " %5u", row->ages[i]);
	fputc('\n', out);
}

static void print_json(const struct row *row, FILE *out)
{
	json_t *ages = json_array(), *line;

	for (unsigned i = 0; i < COLUMNS; i++)
		json_array_append_new(
			ages, json_pack("{s:o, s:i}", "minutes",
				      i < QUEUE_SHAPE_AGES ? json_integer(minutes[i]) : json_null(),
				      "count", (int)row->ages[i]));
	line = json_pack(
		"{s:s, s:i, s:o}", "domain", row->domain, "total", (int)row->total, "ages", ages);
	if (line)
		json_dumpf(line, out, JSON_COMPACT);
	fputc('\n', out);
	json_decref(line);
}

void queue_shape_print(struct queue_shape *s, bool json, FILE *out)
{
	void (*print)(const struct row *row, FILE *out) = json ? print_json : print_text;

	if (s->n_rows)
		qsort(s->rows, s->n_rows, sizeof(*s->rows), by_total);
	if (!json)
		print_head(out);
	print(&s->all, out);
	for (unsigned i = 0; i < s->n_rows; i++)
		print(&s->rows[i], out);
	if (s->others.total)
		print(&s->others, out);
}
