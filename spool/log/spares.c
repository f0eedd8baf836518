#include "spool/log/spares.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spool/log/segment.h"

#define ZEROS_MAX (1u << 20)
#define LOOK_US   1000000u
/* What a mail takes in the log besides its octets: envelope, header, padding to a block. */
#define RESERVE_OVERHEAD (2u * LOG_IO_BLOCK)

int spares_init(struct spares *s, const struct spool_log_io *io, int dir, uint64_t segment_bytes,
	uint64_t max_bytes)
{
	memset(s, 0, sizeof(*s));
	s->io = io;
	s->dir = dir;
	s->segment_bytes = segment_bytes;
	s->max_bytes = max_bytes ? max_bytes : UINT64_MAX;
	s->zeros_octets = segment_bytes < ZEROS_MAX ? (size_t)segment_bytes : ZEROS_MAX;
	s->zeros = aligned_alloc(LOG_IO_BLOCK, s->zeros_octets);
	if (!s->zeros)
		return -ENOMEM;
	memset(s->zeros, 0, s->zeros_octets);
	pthread_mutex_init(&s->making, NULL);
	pthread_mutex_init(&s->lock, NULL);
	return 0;
}

void spares_fini(struct spares *s)
{
	if (!s->zeros)
		return;
	free(s->zeros);
	s->zeros = NULL;
	pthread_mutex_destroy(&s->making);
	pthread_mutex_destroy(&s->lock);
}

/* Segments that could still be made. Under the lock. */
static uint64_t creatable(const struct spares *s)
{
	uint64_t used = (s->segments + s->count) * s->segment_bytes;
	uint64_t left = used < s->max_bytes ? s->max_bytes - used : 0;

	return (left < s->space ? left : s->space) / s->segment_bytes;
}

/* Under the lock. */
static void count_room(struct spares *s)
{
	uint64_t whole = creatable(s) + s->count;
	uint64_t each = s->segment_bytes - SEGMENT_HEADER_SIZE;
	uint64_t most = UINT64_MAX / 2 / each;

	whole = whole < most ? whole : most;
	/* All but the reserve. */
	atomic_store_explicit(&s->room, whole == 0 ? 0 : s->active_octets + (whole - 1) * each,
		memory_order_relaxed);
}

void spares_look(struct spares *s)
{
	uint64_t space = 0;

	if (s->io->space(s->io->ctx, s->dir, &space) != 0)
		space = 0;
	pthread_mutex_lock(&s->lock);
	s->space = space;
	count_room(s);
	pthread_mutex_unlock(&s->lock);
}

void spares_found(struct spares *s, uint64_t number)
{
	char name[SEGMENT_NAME_SIZE];

	if (number >= s->next_number)
		s->next_number = number + 1;
	if (s->count < SPARES_MAX) {
		s->numbers[s->count++] = number;
		return;
	}
	segment_spare_name(number, name);
	s->io->unlink(s->io->ctx, s->dir, name);
}

static int fill(struct spares *s, int fd)
{
	int r = s->io->allocate(s->io->ctx, fd, s->segment_bytes);

	for (uint64_t at = 0; r == 0 && at < s->segment_bytes; at += s->zeros_octets) {
		uint64_t left = s->segment_bytes - at;

		r = log_io_write_all(
			s->io, fd, s->zeros, left < s->zeros_octets ? left : s->zeros_octets, at);
	}
	return r == 0 ? s->io->sync(s->io->ctx, fd) : r;
}

/* Under `making`: a file full of zeros under the name of a spare. */
static int make_file(struct spares *s, const char *name)
{
	int fd = s->io->open(s->io->ctx, s->dir, SEGMENT_MAKING_NAME, LOG_IO_CREATE);
	int r;

	if (fd < 0)
		return fd;
	r = fill(s, fd);
	s->io->close(s->io->ctx, fd);
	if (r == 0)
		r = s->io->rename(s->io->ctx, s->dir, SEGMENT_MAKING_NAME, name);
	if (r == 0)
		r = s->io->sync_dir(s->io->ctx, s->dir);
	if (r != 0)
		s->io->unlink(s->io->ctx, s->dir, SEGMENT_MAKING_NAME);
	return r;
}

/* The filler is woken often; it need not ask the file system each time. */
static bool nothing_new(struct spares *s, unsigned wanted)
{
	uint64_t now_us = s->io->now_us(s->io->ctx);
	bool nothing;

	pthread_mutex_lock(&s->lock);
	nothing = s->count >= wanted && now_us - s->looked_us < LOOK_US;
	if (!nothing)
		s->looked_us = now_us;
	pthread_mutex_unlock(&s->lock);
	return nothing;
}

/* A number for one more spare, if it is wanted and there is space. */
static bool may_make(struct spares *s, unsigned wanted, uint64_t *number)
{
	bool may;

	if (nothing_new(s, wanted))
		return false;
	spares_look(s);
	pthread_mutex_lock(&s->lock);
	may = s->count < wanted && creatable(s) > 0;
	if (may)
		*number = s->next_number++;
	pthread_mutex_unlock(&s->lock);
	return may;
}

static bool make_up_to(struct spares *s, unsigned wanted)
{
	char name[SEGMENT_NAME_SIZE];
	bool made = false;
	uint64_t number;

	pthread_mutex_lock(&s->making);
	if (may_make(s, wanted, &number)) {
		segment_spare_name(number, name);
		made = make_file(s, name) == 0;
		if (made) {
			pthread_mutex_lock(&s->lock);
			s->numbers[s->count++] = number;
			pthread_mutex_unlock(&s->lock);
		}
		spares_look(s);
	}
	pthread_mutex_unlock(&s->making);
	return made;
}

bool spares_make(struct spares *s)
{
	return make_up_to(s, SPARES_READY);
}

static bool take_number(struct spares *s, unsigned keep, uint64_t *number)
{
	bool taken = false;

	pthread_mutex_lock(&s->lock);
	if (s->count > keep) {
		*number = s->numbers[--s->count];
		taken = true;
		count_room(s);
	}
	pthread_mutex_unlock(&s->lock);
	return taken;
}

int spares_take(struct spares *s, const char *name, bool reserve)
{
	char spare[SEGMENT_NAME_SIZE];
	uint64_t number;
	int r;

	if (!take_number(s, 1, &number)) {
		while (make_up_to(s, 2))
			;
		if (!take_number(s, 1, &number) && !(reserve && take_number(s, 0, &number)))
			return -ENOSPC;
	}
	segment_spare_name(number, spare);
	r = s->io->rename(s->io->ctx, s->dir, spare, name);
	return r == 0 ? s->io->sync_dir(s->io->ctx, s->dir) : r;
}

int spares_recycle(struct spares *s, const char *name)
{
	char spare[SEGMENT_NAME_SIZE];
	uint64_t number;
	bool keep;
	int r;

	pthread_mutex_lock(&s->lock);
	keep = s->count < SPARES_MAX && (s->segments + s->count) * s->segment_bytes <= s->max_bytes;
	number = s->next_number++;
	pthread_mutex_unlock(&s->lock);
	segment_spare_name(number, spare);
	r = keep ? s->io->rename(s->io->ctx, s->dir, name, spare)
		 : s->io->unlink(s->io->ctx, s->dir, name);
	if (r == 0)
		r = s->io->sync_dir(s->io->ctx, s->dir);
	if (r == 0 && keep) {
		pthread_mutex_lock(&s->lock);
		if (s->count < SPARES_MAX) {
			s->numbers[s->count++] = number;
			keep = false;
		}
		count_room(s);
		pthread_mutex_unlock(&s->lock);
		if (keep) /* the filler was faster */
			s->io->unlink(s->io->ctx, s->dir, spare);
	}
	return r;
}

void spares_account(struct spares *s, uint64_t segments, uint64_t active_octets)
{
	pthread_mutex_lock(&s->lock);
	s->segments = segments;
	s->active_octets = active_octets;
	count_room(s);
	pthread_mutex_unlock(&s->lock);
}

bool spares_reserve(struct spares *s, uint64_t octets)
{
	uint64_t room = atomic_load_explicit(&s->room, memory_order_relaxed);
	uint64_t want = octets + RESERVE_OVERHEAD;

	if (want < octets || want > room)
		return false;
	if (atomic_fetch_add_explicit(&s->reserved, want, memory_order_relaxed) <= room - want)
		return true;
	atomic_fetch_sub_explicit(&s->reserved, want, memory_order_relaxed);
	return false;
}

void spares_unreserve(struct spares *s, uint64_t octets)
{
	atomic_fetch_sub_explicit(&s->reserved, octets + RESERVE_OVERHEAD, memory_order_relaxed);
}
