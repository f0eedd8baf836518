#include "spool/log/recover_priv.h"

#include <errno.h>
#include <stdlib.h>

/* The files of a spool, and which of them are segments of the log. */

static void number_add(uint64_t **list, uint64_t *n, uint64_t *cap, uint64_t number, int *error)
{
	if (*n == *cap) {
		uint64_t more = *cap ? *cap * 2 : 64;
		uint64_t *grown = realloc(*list, more * sizeof(**list));

		if (!grown) {
			*error = -ENOMEM;
			return;
		}
		*list = grown;
		*cap = more;
	}
	(*list)[(*n)++] = number;
}

static void on_file(void *arg, const char *name)
{
	struct recover_files *f = arg;
	uint64_t number;

	if (segment_name_parse(name, &number))
		number_add(&f->segments, &f->n_segments, &f->cap_segments, number, &f->error);
	else if (segment_spare_name_parse(name, &number))
		number_add(&f->spares, &f->n_spares, &f->cap_spares, number, &f->error);
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int recover_list_files(struct spool_log *log, struct recover_files *f)
{
	int r = log->io->list(log->io->ctx, log->dir, on_file, f);

	if (r == 0)
		r = f->error;
	if (r == 0 && f->n_segments)
		qsort(f->segments, f->n_segments, sizeof(*f->segments), by_number);
	return r;
}

void recover_files_free(struct recover_files *f)
{
	free(f->segments);
	free(f->spares);
	free(f->rotten);
	*f = (struct recover_files){0};
}

/* What a file's first block says of it. */
enum first_block {
	BLOCK_TRUE,
	BLOCK_OF_ANOTHER, /* the file was used before, and not written since */
	BLOCK_UNKNOWN,    /* zeros, torn or rotten */
};

static int read_header(struct spool_log *log, const char *name, uint64_t number,
	struct segment_header *header, uint32_t *salt, enum first_block *block)
{
	uint8_t octets[SEGMENT_HEADER_SIZE];
	int fd, r;

	fd = log->io->open(log->io->ctx, log->dir, name, LOG_IO_READ);
	if (fd < 0)
		return fd;
	r = log_io_read_all(log->io, fd, octets, sizeof(octets), 0);
	log->io->close(log->io->ctx, fd);
	if (r != 0)
		return r;
	if (segment_header_decode(bytes_of(octets, sizeof(octets)), header, salt) != 0)
		*block = BLOCK_UNKNOWN;
	else
		*block = header->number == number ? BLOCK_TRUE : BLOCK_OF_ANOTHER;
	return 0;
}

/*
 * Without its header a segment can still be read: the first record names the salt as the record
 * before it. What an earlier use of the file left has lower sequences than the log has by now.
 */
static int guess_header(struct spool_log *log, uint64_t number, struct segment_header *header,
	uint32_t *salt, enum first_block *block)
{
	struct log_io_buffer b = {0};
	char name[SEGMENT_NAME_SIZE];
	struct record r;
	int e;

	segment_name(number, name);
	e = log_io_slurp(log->io, log->dir, name, LOG_SEGMENT_BYTES_MAX, &b);
	if (e == 0 && record_first(bytes_of(b.data, b.len), SEGMENT_HEADER_SIZE, salt, &r) &&
		r.sequence >= log->batch.sequence) {
		*header = (struct segment_header){
			.number = number, .first_sequence = r.sequence, .first_batch = r.batch};
		*block = BLOCK_TRUE;
	}
	log_io_buffer_free(&b);
	return e;
}

bool recover_listed(const uint64_t *list, uint64_t n, uint64_t number)
{
	for (uint64_t i = 0; i < n; i++)
		if (list[i] == number)
			return true;
	return false;
}

void recover_rotten(
	struct spool_log *log, struct recover_files *f, uint64_t number, struct text *why)
{
	if (recover_listed(f->rotten, f->n_rotten, number))
		return;
	number_add(&f->rotten, &f->n_rotten, &f->cap_rotten, number, &f->error);
	counter_inc(&log->counters.v[SPOOL_BAD_REGIONS]);
	text_printf(why, "segment %llu: the header does not check; ", (unsigned long long)number);
}

/*
 * A later segment knows where this one ended. If its file is there and was not recognised although
 * something in it was synced, it has rotted.
 */
static void note_end(struct spool_log *log, struct recover_files *f, const struct segment_end *end,
	struct text *why)
{
	struct segment *s = segment_table_find(&log->segments, end->number);

	if (s)
		s->end = end->end;
	else if (end->end > 0 && recover_listed(f->segments, f->n_segments, end->number))
		recover_rotten(log, f, end->number, why);
}

static int take_segment(struct spool_log *log, struct recover_files *f,
	const struct segment_header *h, uint32_t salt, struct text *why)
{
	struct segment *s;

	for (uint32_t i = 0; i < h->n_ends; i++)
		note_end(log, f, &h->ends[i], why);
	s = segment_table_add(&log->segments, h->number, salt);
	if (!s)
		return -ENOMEM;
	s->end = SCAN_END_UNKNOWN;
	s->first_sequence = h->first_sequence;
	s->first_batch = h->first_batch;
	s->created_us = h->created_us;
	recover_saw_queue_id(log, h->highest_queue_id);
	recover_saw_sequence(log, h->first_sequence, h->first_batch);
	return f->error;
}

/* The segments that were written, and where they end as far as later ones say. */
int recover_find_segments(struct spool_log *log, struct recover_files *f, struct text *why)
{
	struct segment_header *h = malloc(sizeof(*h));
	int r = h ? 0 : -ENOMEM;

	for (uint64_t i = 0; r == 0 && i < f->n_segments; i++) {
		uint64_t number = f->segments[i];
		enum first_block block = BLOCK_UNKNOWN;
		char name[SEGMENT_NAME_SIZE];
		uint32_t salt = 0;

		if (number > log->last_number)
			log->last_number = number;
		segment_name(number, name);
		r = read_header(log, name, number, h, &salt, &block);
		if (r == 0 && block == BLOCK_UNKNOWN)
			r = guess_header(log, number, h, &salt, &block);
		if (r == 0 && block == BLOCK_TRUE) {
			r = take_segment(log, f, h, salt, why);
		} else if (r == -EIO) {
			recover_rotten(log, f, number, why);
			r = f->error;
		}
	}
	free(h);
	return r;
}

/* What cannot be read cannot come back either. */
static void count_on_from(struct spool_log *log, const char *name, struct segment_header *h)
{
	uint32_t records = (uint32_t)(log->segment_bytes / RECORD_HEADER_SIZE);
	enum first_block block = BLOCK_UNKNOWN;
	uint32_t salt;

	if (read_header(log, name, 0, h, &salt, &block) != 0 || block == BLOCK_UNKNOWN)
		return;
	if (h->number > log->last_number)
		log->last_number = h->number;
	recover_saw_queue_id(log, h->highest_queue_id);
	recover_saw_sequence(log, h->first_sequence + records, h->first_batch + records);
}

/*
 * Without an index, and where no segment is left, nobody knows the numbers that were given out
 * before: what comes now must not be taken for older than what such a file holds.
 */
int recover_count_on(struct spool_log *log, const struct recover_files *f)
{
	struct segment_header *h = malloc(sizeof(*h));
	char name[SEGMENT_NAME_SIZE];

	if (!h)
		return -ENOMEM;
	for (uint64_t i = 0; i < f->n_spares; i++) {
		segment_spare_name(f->spares[i], name);
		count_on_from(log, name, h);
	}
	for (uint64_t i = 0; i < f->n_segments; i++) {
		segment_name(f->segments[i], name);
		if (!segment_table_find(&log->segments, f->segments[i]))
			count_on_from(log, name, h);
	}
	free(h);
	return 0;
}
